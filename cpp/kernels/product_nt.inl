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
    Vec<T> sum[lanes<T>] = {};
    Index left = job.inner;
    for (; left >= lanes<T> || (left > 0 && job.padded); left -= lanes<T>) {
        Vec<T> value[C];
        _Pragma("GCC unroll 4") for (int c = 0; c < C; ++c) value[c] = load(b + c * job.b.row);
        _Pragma("GCC unroll 16") for (int r = 0; r < R; ++r) {
            const Vec<T> input = load(a + r * job.a.row);
            _Pragma("GCC unroll 4") for (int c = 0; c < C; ++c) sum[r * C + c] = fma(input, value[c], sum[r * C + c]);
        }
        a += job.a.vec;
        b += job.b.vec;
    }
    if (left > 0) {
        Vec<T> value[C];
        _Pragma("GCC unroll 4") for (int c = 0; c < C; ++c) value[c] = load(b + c * job.b.row, Tail{left});
        _Pragma("GCC unroll 16") for (int r = 0; r < R; ++r) {
            const Vec<T> input = load(a + r * job.a.row, Tail{left});
            _Pragma("GCC unroll 4") for (int c = 0; c < C; ++c) sum[r * C + c] = fma(input, value[c], sum[r * C + c]);
        }
    }
    Vec<T> total = sums_of_lanes<R * C>(sum);
    const bool accumulate = job.init.data != nullptr;
    if (job.output.row == C) {
        if (accumulate) total = load(output, Tail{R * C}) + total;
        return store_some(output, total, R * C);
    }
    alignas(line_bytes) T lane[lanes<T>];
    store(lane, total);
    for (int r = 0; r < R; ++r)
        for (int c = 0; c < C; ++c) {
            const Index column = output_column + c;
            T& place = output[r * job.output.row + column / lanes<T> * job.output.vec + column % lanes<T>];
            place = accumulate ? place + lane[r * C + c] : lane[r * C + c];
        }
}

template <class T> using ProductNtTile = void (*)(const Product<T>&, const T*, const T*, T*, Index);

// The tiles C columns wide, one to at_most rows high.
template <class T, int C> struct ProductNtTiles;
template <> struct ProductNtTiles<float, 1> {
    static constexpr ProductNtTile<float> with_rows[] = {
        product_nt_tile<1, 1, float>,  product_nt_tile<2, 1, float>,  product_nt_tile<3, 1, float>,  product_nt_tile<4, 1, float>,
        product_nt_tile<5, 1, float>,  product_nt_tile<6, 1, float>,  product_nt_tile<7, 1, float>,  product_nt_tile<8, 1, float>,
        product_nt_tile<9, 1, float>,  product_nt_tile<10, 1, float>, product_nt_tile<11, 1, float>, product_nt_tile<12, 1, float>,
        product_nt_tile<13, 1, float>, product_nt_tile<14, 1, float>, product_nt_tile<15, 1, float>, product_nt_tile<16, 1, float>};
};
template <> struct ProductNtTiles<float, 2> {
    static constexpr ProductNtTile<float> with_rows[] = {product_nt_tile<1, 2, float>, product_nt_tile<2, 2, float>, product_nt_tile<3, 2, float>,
                                                         product_nt_tile<4, 2, float>, product_nt_tile<5, 2, float>, product_nt_tile<6, 2, float>,
                                                         product_nt_tile<7, 2, float>, product_nt_tile<8, 2, float>};
};
template <> struct ProductNtTiles<float, 3> {
    static constexpr ProductNtTile<float> with_rows[] = {product_nt_tile<1, 3, float>, product_nt_tile<2, 3, float>, product_nt_tile<3, 3, float>,
                                                         product_nt_tile<4, 3, float>, product_nt_tile<5, 3, float>};
};
template <> struct ProductNtTiles<float, 4> {
    static constexpr ProductNtTile<float> with_rows[] = {product_nt_tile<1, 4, float>, product_nt_tile<2, 4, float>, product_nt_tile<3, 4, float>,
                                                         product_nt_tile<4, 4, float>};
};
template <> struct ProductNtTiles<double, 1> {
    static constexpr ProductNtTile<double> with_rows[] = {product_nt_tile<1, 1, double>, product_nt_tile<2, 1, double>, product_nt_tile<3, 1, double>,
                                                          product_nt_tile<4, 1, double>, product_nt_tile<5, 1, double>, product_nt_tile<6, 1, double>,
                                                          product_nt_tile<7, 1, double>, product_nt_tile<8, 1, double>};
};
template <> struct ProductNtTiles<double, 2> {
    static constexpr ProductNtTile<double> with_rows[] = {product_nt_tile<1, 2, double>, product_nt_tile<2, 2, double>, product_nt_tile<3, 2, double>,
                                                          product_nt_tile<4, 2, double>};
};
template <> struct ProductNtTiles<double, 3> {
    static constexpr ProductNtTile<double> with_rows[] = {product_nt_tile<1, 3, double>, product_nt_tile<2, 3, double>};
};
template <> struct ProductNtTiles<double, 4> {
    static constexpr ProductNtTile<double> with_rows[] = {product_nt_tile<1, 4, double>, product_nt_tile<2, 4, double>};
};

// C columns, all rows, in tiles of as equal a height as possible.
template <int C, class T> void product_nt_columns(const Product<T>& job, Index c) {
    constexpr Index tallest = static_cast<Index>(sizeof(ProductNtTiles<T, C>::with_rows) / sizeof(ProductNtTile<T>));
    Index left = job.rows;
    for (Index tiles = (left + tallest - 1) / tallest, r = 0; tiles > 0; --tiles) {
        const Index count = (left + tiles - 1) / tiles;
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
