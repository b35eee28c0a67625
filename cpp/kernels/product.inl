// output = init + a . b
//
// Shapes: a (rows, inner), b (inner, cols), output (rows, cols), each a Grid; init one row or a full grid.
//
// A tile of R rows and V vectors of output stays in registers while the inner index k is walked once, in order:
// the same chain of fused multiply-adds for every tile shape, target and thread. k runs through a's panels,
// `lanes` columns at a time. Where a and b both stand in panels their rows are a constant apart (`InPanels`): addresses
// are then displacements, and no integer operation takes a multiply-add's port (a tenth on `digits`).
//
// Registers: AVX-512 has 32: 14 x 2 sums + 2 of b + 1 of a = 31. AVX2 holds a Vec in 2 of its 16: 6 x 1 sums
// (12) + 2 + 1. NEON: 4 of 32: 6 x 1 (24) + 4 + 1. SSE2: 4 of 16: 2 x 1 (8) + 4 + 1.

#if defined(__AVX512F__)
constexpr int product_rows = 14, product_vectors = 2, product_sums = 12;
#elif defined(__AVX2__) || defined(__aarch64__)
constexpr int product_rows = 6, product_vectors = 1, product_sums = 6;
#else
constexpr int product_rows = 2, product_vectors = 1, product_sums = 2;
#endif

// The tallest tile V vectors wide. Wide tiles are for few rows: they keep as many sums in flight.
constexpr int tallest_product(int V) { return V <= product_vectors ? product_rows : product_sums / V; }

// How the rows of a and b stand: anyhow, or both one vector apart.
struct Anyhow {};
struct InPanels {};
template <class Width> constexpr bool is_whole = false;
template <> constexpr bool is_whole<All> = true;
template <class Layout> constexpr bool is_in_panels = false;
template <> constexpr bool is_in_panels<InPanels> = true;

// R rows of a as four bases a few rows apart, so that addresses need few registers.
template <class Layout, int R, class T> struct RowBases {
    const T* base[4];
    Index row;
    RowBases(const T* a, Index a_row) : base{a, R > 4 ? a + 4 * a_row : a, R > 8 ? a + 8 * a_row : a, R > 12 ? a + 12 * a_row : a}, row(a_row) {}
    CHAINRULE_INLINE const T& at(int r, Index k) const { return base[r / 4][(r % 4) * row + k]; }
};
template <int R, class T> struct RowBases<InPanels, R, T> {
    const T* base;
    RowBases(const T* a, Index) : base(a) {}
    CHAINRULE_INLINE const T& at(int r, Index k) const { return base[r * lanes<T> + k]; }
};

// The lines of the next panels of b that one row tile fetches in each panel of a.
template <class T> struct Ahead {
    const T* next;  // null: none
    Index lines;
};

// A tile's first values: those at init, or 0 where there are none.
template <int R, int V, class Width, class T>
CHAINRULE_INLINE void start_tile(Vec<T> (&sum)[R][V], const T* init, Index row, Index vec, Width width) {
    if (!init) {
        _Pragma("GCC unroll 16") for (int r = 0; r < R; ++r)
            _Pragma("GCC unroll 8") for (int v = 0; v < V; ++v) sum[r][v] = Vec<T>{};
        return;
    }
    _Pragma("GCC unroll 16") for (int r = 0; r < R; ++r) {
        _Pragma("GCC unroll 8") for (int v = 0; v < V; ++v)
            if (v + 1 < V) sum[r][v] = load(init + v * vec);
            else sum[r][v] = load(init + v * vec, width);
        next_row(init, row);
    }
}

template <int R, int V, class Width, class T>
CHAINRULE_INLINE void add_to_tile(Vec<T> (&sum)[R][V], const T* init, Index row, Index vec, Width width) {
    _Pragma("GCC unroll 16") for (int r = 0; r < R; ++r) {
        _Pragma("GCC unroll 8") for (int v = 0; v < V; ++v)
            if (v + 1 < V) sum[r][v] = load(init + v * vec) + sum[r][v];
            else sum[r][v] = load(init + v * vec, width) + sum[r][v];
        next_row(init, row);
    }
}

template <int R, int V, class Width, class T>
CHAINRULE_INLINE void finish_tile(Vec<T> (&sum)[R][V], T* output, Index row, Index vec, Width width) {
    _Pragma("GCC unroll 16") for (int r = 0; r < R; ++r) {
        _Pragma("GCC unroll 8") for (int v = 0; v < V; ++v)
            if (v + 1 < V) store(output + v * vec, sum[r][v]);
            else store(output + v * vec, sum[r][v], width);
        next_row(output, row);
    }
}

template <int R, int V, class Layout, class Width, class T>
void product_tile(const Product<T>& job, const T* a, const T* b, const T* init, T* output, Ahead<T> ahead, Width width) {
    const Index b_row = is_in_panels<Layout> ? lanes<T> : job.b.row, b_vec = job.b.vec;
    Vec<T> sum[R][V];
    start_tile(sum, init, job.init.row, job.init.vec, width);
    for (Index first = 0; first < job.inner; first += lanes<T>) {
        const Index count = job.inner - first < lanes<T> ? job.inner - first : lanes<T>;
        if (ahead.next) {
            for (Index line = 0; line < ahead.lines; ++line)
                for (int v = 0; v < V; ++v) __builtin_prefetch(ahead.next + v * job.b.vec + line * lanes<T>, 0, 2);
            ahead.next += lanes<T> * lanes<T>;
        }
        const RowBases<Layout, R, T> rows(a, job.a.row);
        const auto multiply_add = [&](Index k, const T* row) {
            Vec<T> value[V];
            _Pragma("GCC unroll 8") for (int v = 0; v < V; ++v)
                if (v + 1 < V) value[v] = load(row + v * b_vec);
                else value[v] = load(row + v * b_vec, width);
            _Pragma("GCC unroll 14") for (int r = 0; r < R; ++r) {
                const Vec<T> input = broadcast(rows.at(r, k));
                _Pragma("GCC unroll 8") for (int v = 0; v < V; ++v) sum[r][v] = fma(input, value[v], sum[r][v]);
            }
        };
        Index k = 0;
        for (; k + 2 <= count; k += 2, b += 2 * b_row) {
            multiply_add(k, b);
            multiply_add(k + 1, b + b_row);
        }
        for (; k < count; ++k, b += b_row) multiply_add(k, b);
        a += job.a.vec;
    }
    if constexpr (is_whole<Width>)
        if (job.derivative != Activation::identity)  // saved has the strides of output
            through_derivative(job.derivative, sum, job.saved.data + (output - job.output.data), job.output.row, job.output.vec, job.parameters,
                               job.factor, Activations{}, UpTo<Activations::count>{});
    if (job.activation != Activation::identity) through_activation<true>(job.activation, sum, job.parameters, Activations{}, UpTo<Activations::count>{});
    finish_tile(sum, output, job.output.row, job.output.vec, width);
}

template <class T, class Width> using ProductTile = void (*)(const Product<T>&, const T*, const T*, const T*, T*, Ahead<T>, Width);

// The tiles V vectors wide, one for each height.
template <class T, int V, class Layout, class Width, class Places = PlacesOfHeights<tallest_product(V)>> struct ProductTiles;
template <class T, int V, class Layout, class Width, int... P> struct ProductTiles<T, V, Layout, Width, Indices<P...>> {
    static constexpr ProductTile<T, Width> at[] = {product_tile<TileHeights<tallest_product(V)>::height(P), V, Layout, Width, T>...};
};

// All row tiles of V vectors of columns.
template <int V, class Layout, class Width, class T>
void product_columns(const Product<T>& job, Index vector, Width width) {
    const T* b = job.b.data + vector * job.b.vec;
    constexpr int tallest = tallest_product(V);
    Ahead<T> ahead = {nullptr, 0};
    if (job.prefetch && (vector + V) * lanes<T> < job.cols) {
        const Index fewest_tiles = (job.rows + tallest - 1) / tallest;
        ahead = {b + V * job.b.vec, (lanes<T> + fewest_tiles - 1) / fewest_tiles};
    }
    Index fetched = 0;
    for (Index r = 0; r < job.rows;) {
        const int place = next_tile<tallest>(job.rows - r);
        const T* init = job.init.data ? job.init.data + r * job.init.row + vector * job.init.vec : nullptr;
        ProductTiles<T, V, Layout, Width>::at[place](job, job.a.data + r * job.a.row, b, init,
                                                     job.output.data + r * job.output.row + vector * job.output.vec, ahead, width);
        if (ahead.next) ahead.next = (fetched += ahead.lines) < lanes<T> ? ahead.next + ahead.lines * lanes<T> : nullptr;
        r += TileHeights<tallest>::height(place);
    }
}

// As many of `vectors` vectors of columns as V at a time make, from `vector` on.
template <int V, class Layout, class T> void product_wide(const Product<T>& job, Index& vector, Index vectors) {
    if constexpr (tallest_product(V) > 0)
        if (V <= product_vectors || job.rows <= tallest_product(V))
            for (; vector + V <= vectors; vector += V) product_columns<V, Layout>(job, vector, All{});
}

template <class Layout, class T> void product_whole(const Product<T>& job, Index& vector, Index vectors) {
    product_wide<8, Layout>(job, vector, vectors);
    product_wide<4, Layout>(job, vector, vectors);
    product_wide<product_vectors, Layout>(job, vector, vectors);
    product_wide<1, Layout>(job, vector, vectors);
}

template <class T> void product(const Product<T>& job) noexcept {
    const Index vectors = (job.cols + lanes<T> - 1) / lanes<T>;
    const Index tail = job.cols % lanes<T>;
    const Index whole = job.padded || tail == 0 ? vectors : vectors - 1;
    Index vector = 0;
    if (job.a.row == lanes<T> && job.b.row == lanes<T>) product_whole<InPanels>(job, vector, whole);
    else product_whole<Anyhow>(job, vector, whole);
    if (whole < vectors) product_columns<1, Anyhow>(job, vector, Tail{tail});
}
