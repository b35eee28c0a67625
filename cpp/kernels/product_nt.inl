// output = a . b^T, the dot-product form
//
// Shapes: a (rows, inner), b (cols, inner), output (rows, cols), each a Grid.
//
// For few rows or few samples, where a transposed copy of b would cost more than the product. `lanes` partial sums
// run along the inner index; those of a whole tile are added together, in the tree of sums_of_lanes, so that a sum
// costs three operations and not thirty: a tile has up to `lanes` elements.
//
// Registers: AVX-512 16 sums + up to 4 of b + 1 of a = 21 of 32; narrower targets keep some sums in L1.

template <int R, int C, class T>
void product_nt_tile(const Product<T>& job, const T* a, const T* b, T* output, Index output_column) {
    const Index a_row = job.a.row, b_row = job.b.row, a_vec = job.a.vec, b_vec = job.b.vec;
    Vec<T> sum[lanes<T>] = {};
    Index left = job.inner;
    for (; left >= lanes<T> || (left > 0 && job.padded); left -= lanes<T>) {
        Vec<T> value[C];
        _Pragma("GCC unroll 4") for (int c = 0; c < C; ++c) value[c] = load(b + c * b_row);
        _Pragma("GCC unroll 16") for (int r = 0; r < R; ++r) {
            const Vec<T> input = load(a + r * a_row);
            _Pragma("GCC unroll 4") for (int c = 0; c < C; ++c) sum[r * C + c] = fma(input, value[c], sum[r * C + c]);
        }
        a += a_vec;
        b += b_vec;
    }
    if (left > 0) {
        Vec<T> value[C];
        _Pragma("GCC unroll 4") for (int c = 0; c < C; ++c) value[c] = load(b + c * b_row, Tail{left});
        _Pragma("GCC unroll 16") for (int r = 0; r < R; ++r) {
            const Vec<T> input = load(a + r * a_row, Tail{left});
            _Pragma("GCC unroll 4") for (int c = 0; c < C; ++c) sum[r * C + c] = fma(input, value[c], sum[r * C + c]);
        }
    }
    Vec<T> total = sums_of_lanes<R * C>(sum);
    const bool accumulate = job.init.data != nullptr;
    if (job.output.row == C) {
        if (accumulate) total = load(output, Tail{R * C}) + total;
        return store_some(output, total, R * C);
    }
    // a tile's columns lie side by side: their first is a multiple of 4
    alignas(line_bytes) T lane[lanes<T>] = {};
    T* const place = output + output_column / lanes<T> * job.output.vec + output_column % lanes<T>;
    if (accumulate) {
        _Pragma("GCC unroll 16") for (int r = 0; r < R; ++r) __builtin_memcpy(lane + r * C, place + r * job.output.row, C * sizeof(T));
        total = load(lane) + total;
    }
    store(lane, total);
    _Pragma("GCC unroll 16") for (int r = 0; r < R; ++r) __builtin_memcpy(place + r * job.output.row, lane + r * C, C * sizeof(T));
}

template <class T> using ProductNtTile = void (*)(const Product<T>&, const T*, const T*, T*, Index);

// The tiles C columns wide, one to tallest_product_nt rows high.
template <class T> constexpr int tallest_product_nt(int C) { return static_cast<int>(lanes<T>) / C; }
template <class T, int C, class Rows = UpTo<tallest_product_nt<T>(C)>> struct ProductNtTiles;
template <class T, int C, int... R> struct ProductNtTiles<T, C, Indices<R...>> {
    static constexpr ProductNtTile<T> with_rows[] = {product_nt_tile<R + 1, C, T>...};
};

// C columns, all rows, in tiles of as equal a height as possible.
template <int C, class T> void product_nt_columns(const Product<T>& job, Index c) {
    constexpr Index tallest = tallest_product_nt<T>(C);
    Index left = job.rows;
    for (Index tiles = (left + tallest - 1) / tallest, r = 0; tiles > 0; --tiles) {
        const Index count = height_of_next(left, tiles);
        ProductNtTiles<T, C>::with_rows[count - 1](job, job.a.data + r * job.a.row, job.b.data + c * job.b.row, job.output.data + r * job.output.row, c);
        r += count;
        left -= count;
    }
}

template <class T> void product_nt(const Product<T>& job) noexcept {
    Index c = 0;
    for (; c + 4 <= job.cols; c += 4) product_nt_columns<4>(job, c);
    if (job.cols - c == 3) product_nt_columns<3>(job, c);
    else if (job.cols - c == 2) product_nt_columns<2>(job, c);
    else if (job.cols - c == 1) product_nt_columns<1>(job, c);
}
