// output = init + a . b
//
// Shapes: a (rows, inner), b (inner, cols), output (rows, cols), each a Grid; init one row or a full grid.
//
// A tile of R rows and V vectors of output stays in registers while the inner index k is walked once, in order:
// the same chain of fused multiply-adds for every tile shape, target and thread. k runs through a's panels,
// `lanes` columns at a time.
//
// Registers: AVX-512 has 32: 14 x 2 sums + 2 of b + 1 of a = 31. AVX2 holds a Vec in 2 of its 16: 6 x 1 sums
// (12) + 2 + 1. NEON: 4 of 32: 6 x 1 (24) + 4 + 1. SSE2: 4 of 16: 2 x 1 (8) + 4 + 1.

#if defined(__AVX512F__)
constexpr int product_rows = 14, product_vectors = 2, product_sums = 24;
#elif defined(__AVX2__) || defined(__aarch64__)
constexpr int product_rows = 6, product_vectors = 1, product_sums = 6;
#else
constexpr int product_rows = 2, product_vectors = 1, product_sums = 2;
#endif

// The tallest tile V vectors wide. Wide tiles are for few rows: they keep as many sums in flight.
constexpr int tallest_product(int V) { return V <= product_vectors ? product_rows : product_sums / V; }

// The rows of a as four bases a few rows apart, so that addresses need few registers.
template <class T> struct RowBases {
    const T* base[4];
    Index row;
    CHAINRULE_INLINE const T& at(int r, Index k) const { return base[r / 4][(r % 4) * row + k]; }
};

// The lines of the next panels of b that one row tile fetches in each panel of a.
template <class T> struct Ahead {
    const T* next;  // null: none
    Index lines;
};

template <int R, int V, class Width, class T>
void product_tile(const Product<T>& job, const T* a, const T* b, const T* init, T* output, Ahead<T> ahead, Width width) {
    Vec<T> sum[R][V];
    _Pragma("GCC unroll 14") for (int r = 0; r < R; ++r)
        _Pragma("GCC unroll 8") for (int v = 0; v < V; ++v) {
            const T* start = init + r * job.init.row + v * job.init.vec;
            if (!job.init.data) sum[r][v] = Vec<T>{};
            else if (v + 1 < V) sum[r][v] = load(start);
            else sum[r][v] = load(start, width);
        }
    for (Index first = 0; first < job.inner; first += lanes<T>) {
        const Index count = job.inner - first < lanes<T> ? job.inner - first : lanes<T>;
        if (ahead.next) {
            for (Index line = 0; line < ahead.lines; ++line)
                for (int v = 0; v < V; ++v) __builtin_prefetch(ahead.next + v * job.b.vec + line * lanes<T>, 0, 2);
            ahead.next += lanes<T> * lanes<T>;
        }
        const RowBases<T> rows = {{a, a + 4 * job.a.row, a + 8 * job.a.row, a + 12 * job.a.row}, job.a.row};
        for (Index k = 0; k < count; ++k) {
            Vec<T> value[V];
            _Pragma("GCC unroll 8") for (int v = 0; v < V; ++v)
                if (v + 1 < V) value[v] = load(b + v * job.b.vec);
                else value[v] = load(b + v * job.b.vec, width);
            _Pragma("GCC unroll 14") for (int r = 0; r < R; ++r) {
                const Vec<T> input = broadcast(rows.at(r, k));
                _Pragma("GCC unroll 8") for (int v = 0; v < V; ++v) sum[r][v] = fma(input, value[v], sum[r][v]);
            }
            b += job.b.row;
        }
        a += job.a.vec;
    }
    const bool relu = job.relu;
    const Index output_row = job.output.row, output_vec = job.output.vec;
    _Pragma("GCC unroll 14") for (int r = 0; r < R; ++r)
        _Pragma("GCC unroll 8") for (int v = 0; v < V; ++v) {
            if (relu) sum[r][v] = select(sum[r][v] <= Vec<T>{}, Vec<T>{}, sum[r][v]);
            T* target = output + r * output_row + v * output_vec;
            if (v + 1 < V) store(target, sum[r][v]);
            else store(target, sum[r][v], width);
        }
}

template <class T, class Width> using ProductTile = void (*)(const Product<T>&, const T*, const T*, const T*, T*, Ahead<T>, Width);

// The tiles V vectors wide, one to tallest_product(V) rows high.
template <class T, int V, class Width, class Rows = UpTo<tallest_product(V)>> struct ProductTiles;
template <class T, int V, class Width, int... R> struct ProductTiles<T, V, Width, Indices<R...>> {
    static constexpr ProductTile<T, Width> with_rows[] = {product_tile<R + 1, V, Width, T>...};
};

// All row tiles of V vectors of columns, of as equal a height as possible (31 rows: 11 + 10 + 10).
template <int V, class Width, class T>
void product_columns(const Product<T>& job, Index vector, Width width) {
    const T* b = job.b.data + vector * job.b.vec;
    Index left = job.rows;
    const Index all_tiles = (job.rows + tallest_product(V) - 1) / tallest_product(V);
    Ahead<T> ahead = {job.prefetch && vector * lanes<T> + V * lanes<T> < job.cols ? b + V * job.b.vec : nullptr, (lanes<T> + all_tiles - 1) / all_tiles};
    for (Index tiles = all_tiles, r = 0; tiles > 0; --tiles) {
        const Index count = (left + tiles - 1) / tiles;
        const T* init = job.init.data ? job.init.data + r * job.init.row + vector * job.init.vec : nullptr;
        ProductTiles<T, V, Width>::with_rows[count - 1](job, job.a.data + r * job.a.row, b, init,
                                                        job.output.data + r * job.output.row + vector * job.output.vec, ahead, width);
        if (ahead.next) ahead.next += ahead.lines * lanes<T>;
        r += count;
        left -= count;
    }
}

template <class T> void product(const Product<T>& job) noexcept {
    const Index vectors = (job.cols + lanes<T> - 1) / lanes<T>;
    const Index tail = job.cols % lanes<T>;
    const Index whole = job.padded || tail == 0 ? vectors : vectors - 1;
    Index vector = 0;
    if constexpr (tallest_product(8) > 0)
        if (job.rows <= tallest_product(8))
            for (; vector + 8 <= whole; vector += 8) product_columns<8>(job, vector, All{});
    if constexpr (tallest_product(4) > 0)
        if (job.rows <= tallest_product(4))
            for (; vector + 4 <= whole; vector += 4) product_columns<4>(job, vector, All{});
    for (; vector + product_vectors <= whole; vector += product_vectors) product_columns<product_vectors>(job, vector, All{});
    for (; vector < whole; ++vector) product_columns<1>(job, vector, All{});
    if (whole < vectors) product_columns<1>(job, vector, Tail{tail});
}
