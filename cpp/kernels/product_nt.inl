// output = a . b^T, the dot-product form
//
// Shapes: a (rows, inner), b (cols, inner), output (rows, cols), each a Grid.
//
// For few rows or few samples, where a transposed copy of b would cost more than the product. `lanes` partial sums
// run along the inner index and are added in the tree of sum_lanes: the same on every target.
//
// Registers: AVX-512 4 x 4 sums + 4 of b + 1 of a = 21 of 32; AVX2 2 x 2 sums (8) + 4 + 2 of 16.

#if defined(__AVX512F__)
constexpr int product_nt_rows = 4, product_nt_cols = 4;
#elif defined(__AVX2__) || defined(__aarch64__)
constexpr int product_nt_rows = 2, product_nt_cols = 2;
#else
constexpr int product_nt_rows = 1, product_nt_cols = 2;
#endif

template <int R, int C, class T>
void product_nt_tile(const Product<T>& job, const T* a, const T* b, T* output, Index output_column) {
    Vec<T> sum[R][C] = {};
    Index left = job.inner;
    for (; left >= lanes<T> || (left > 0 && job.padded); left -= lanes<T>) {
        Vec<T> value[C];
        _Pragma("GCC unroll 4") for (int c = 0; c < C; ++c) value[c] = load(b + c * job.b.row);
        _Pragma("GCC unroll 4") for (int r = 0; r < R; ++r) {
            const Vec<T> input = load(a + r * job.a.row);
            _Pragma("GCC unroll 4") for (int c = 0; c < C; ++c) sum[r][c] = fma(input, value[c], sum[r][c]);
        }
        a += job.a.vec;
        b += job.b.vec;
    }
    if (left > 0)
        for (int r = 0; r < R; ++r)
            for (int c = 0; c < C; ++c)
                sum[r][c] = fma(load(a + r * job.a.row, Tail{left}), load(b + c * job.b.row, Tail{left}), sum[r][c]);
    for (int r = 0; r < R; ++r)
        for (int c = 0; c < C; ++c) {
            const Index column = output_column + c;
            output[r * job.output.row + column / lanes<T> * job.output.vec + column % lanes<T>] = sum_lanes(sum[r][c]);
        }
}

template <int R, class T> void product_nt_rows_of(const Product<T>& job, Index r) {
    const T* a = job.a.data + r * job.a.row;
    T* output = job.output.data + r * job.output.row;
    Index c = 0;
    for (; c + product_nt_cols <= job.cols; c += product_nt_cols)
        product_nt_tile<R, product_nt_cols>(job, a, job.b.data + c * job.b.row, output, c);
    for (; c < job.cols; ++c) product_nt_tile<R, 1>(job, a, job.b.data + c * job.b.row, output, c);
}

template <class T> void product_nt(const Product<T>& job) noexcept {
    Index r = 0;
    for (; r + product_nt_rows <= job.rows; r += product_nt_rows) product_nt_rows_of<product_nt_rows>(job, r);
    for (; r < job.rows; ++r) product_nt_rows_of<1>(job, r);
}
