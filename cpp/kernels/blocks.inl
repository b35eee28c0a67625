// Blocks of `lanes` samples: column j of all of them in one vector, so that sums over columns are plain chains and every
// layout gives the same bits. Grids stored by rows are transposed into scratch first, and results back.

// `lanes` samples: column j at data + j * row.
template <class T> struct Block {
    T* data;
    Index row;
    CHAINRULE_INLINE T* column(Index j) const { return data + j * row; }
};

// The samples from r on as a block: in place where samples stand in lanes, else transposed into scratch.
template <class T>
Block<T> load_block(const Grid<T>& grid, bool samples_in_lanes, Index r, Index rows, Index cols, bool padded, T* scratch) {
    if (samples_in_lanes) return {grid.data + r / lanes<T> * grid.vec, grid.row};
    for (Index c = 0; c < cols; c += lanes<T>) {
        Vec<T> x[lanes<T>];
        load_square(x, grid.data + r * grid.row + c / lanes<T> * grid.vec, grid.row, rows, padded ? lanes<T> : at_most(cols - c, lanes<T>));
        transpose_square(x);
        store_square(x, scratch + c * lanes<T>, lanes<T>, at_most(cols - c, lanes<T>), lanes<T>);
    }
    return {scratch, lanes<T>};
}
template <class T> Block<T> load_block(const Grid<const T>& grid, bool samples_in_lanes, Index r, Index rows, Index cols, bool padded, T* scratch) {
    return load_block(Grid<T>{const_cast<T*>(grid.data), grid.row, grid.vec}, samples_in_lanes, r, rows, cols, padded, scratch);
}

template <class T>
void store_block(const Block<T>& block, const Grid<T>& grid, Index r, Index rows, Index cols, bool padded) {
    for (Index c = 0; c < cols; c += lanes<T>) {
        Vec<T> x[lanes<T>];
        load_square(x, block.column(c), block.row, at_most(cols - c, lanes<T>), lanes<T>);
        transpose_square(x);
        store_square(x, grid.data + r * grid.row + c / lanes<T> * grid.vec, grid.row, rows, padded ? lanes<T> : at_most(cols - c, lanes<T>));
    }
}
