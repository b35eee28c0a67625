// output = init + a^T . b, the outer-product form
//
// Shapes: a (inner, rows), b (inner, cols), output (rows, cols), each a Grid; init one row or a full grid.
//
// Both operands are read along their rows, so nothing is transposed. A tile's R values of a stand side by side:
// tiles never cross a panel of a, but where its vectors follow each other. One chain of fused multiply-adds over k per element, as in product.inl.
//
// Registers: AVX-512 8 x 3 sums + 3 of b + 1 of a = 28 of 32; AVX2 6 x 1 (12) + 2 + 1 of 16. An activation with a parameter
// would need one more: GCC would spill in the loop (6 % of `wide` on AVX2).
//
// Fetching ahead: a wide tile fetches the next panel of a, a line for each of its samples, and of the rows that follow those
// of b one for every four samples. A tile one vector wide has loads to spare for the latter only.

#if defined(__AVX512F__)
constexpr int product_tn_rows = 8, product_tn_vectors = 3;
#elif defined(__AVX2__) || defined(__aarch64__)
constexpr int product_tn_rows = 6, product_tn_vectors = 1;
#else
constexpr int product_tn_rows = 2, product_tn_vectors = 1;
#endif

// Samples that the inner loop takes at a time.
constexpr int product_tn_unroll = 4;

// Where a tile fetches ahead; null: nowhere.
template <class T> struct BothAhead {
    const T* a;  // `product_tn_unroll` lines at a time
    const T* b;  // a row of all the tile's vectors at a time
};

template <int R, int V, class Layout, class Width, class T>
void product_tn_tile(const Product<T>& job, const T* a, const T* b, const T* init, T* output, BothAhead<T> ahead, Width width) {
    Vec<T> sum[R][V];
    start_tile(sum, job.init_last ? nullptr : init, job.init.row, job.init.vec, width);
    const Index a_row = is_in_panels<Layout> ? lanes<T> : job.a.row, b_row = is_in_panels<Layout> ? lanes<T> : job.b.row;
    const Index b_vec = job.b.vec;
    const auto multiply_add = [&](const T* a_k, const T* b_k) {
        Vec<T> value[V];
        _Pragma("GCC unroll 4") for (int v = 0; v < V; ++v)
            if (v + 1 < V) value[v] = load(b_k + v * b_vec);
            else value[v] = load(b_k + v * b_vec, width);
        _Pragma("GCC unroll 8") for (int r = 0; r < R; ++r) {
            const Vec<T> input = broadcast(a_k[r]);
            _Pragma("GCC unroll 4") for (int v = 0; v < V; ++v) sum[r][v] = fma(input, value[v], sum[r][v]);
        }
    };
    Index k = 0;
    if constexpr (is_in_panels<Layout>)
        for (; k + product_tn_unroll <= job.inner; k += product_tn_unroll, a += product_tn_unroll * a_row, b += product_tn_unroll * b_row) {
            if (V > 1 && ahead.a) {
                _Pragma("GCC unroll 4") for (int i = 0; i < product_tn_unroll; ++i) __builtin_prefetch(ahead.a + i * lanes<T>, 0, 2);
                ahead.a += product_tn_unroll * lanes<T>;
            }
            if (ahead.b) {
                _Pragma("GCC unroll 4") for (int v = 0; v < V; ++v) __builtin_prefetch(ahead.b + v * b_vec, 0, V > 1 ? 2 : 3);
                ahead.b += b_row;
            }
            _Pragma("GCC unroll 4") for (int i = 0; i < product_tn_unroll; ++i) multiply_add(a + i * a_row, b + i * b_row);
        }
    for (; k < job.inner; ++k, a += a_row, b += b_row) multiply_add(a, b);
    if (job.init_last) add_to_tile(sum, init, job.init.row, job.init.vec, width);
    if (job.activation != Activation::identity) through_activation<false>(job.activation, sum, job.parameters, Activations{}, UpTo<Activations::count>{});
    finish_tile(sum, output, job.output.row, job.output.vec, width);
}

template <class T, class Width> using ProductTnTile = void (*)(const Product<T>&, const T*, const T*, const T*, T*, BothAhead<T>, Width);

template <class T, int V, class Layout, class Width, class Places = PlacesOfHeights<product_tn_rows>> struct ProductTnTiles;
template <class T, int V, class Layout, class Width, int... P> struct ProductTnTiles<T, V, Layout, Width, Indices<P...>> {
    static constexpr ProductTnTile<T, Width> at[] = {product_tn_tile<TileHeights<product_tn_rows>::height(P), V, Layout, Width, T>...};
};

// All row tiles of V vectors of columns, one panel of a after the other, or all rows at once where they stand side by side.
template <int V, class Layout, class Width, class T>
void product_tn_columns(const Product<T>& job, Index vector, Width width) {
    const T* b = job.b.data + vector * job.b.vec;
    Index under_way = 0;  // of the rows that follow those of b
    const Index together = job.a.vec == lanes<T> ? job.rows : lanes<T>;
    for (Index panel = 0, r = 0; r < job.rows; ++panel) {
        const T* a = job.a.data + panel * job.a.vec;
        for (Index left = job.rows - r < together ? job.rows - r : together; left > 0;) {
            const int place = next_tile<product_tn_rows>(left);
            const Index count = TileHeights<product_tn_rows>::height(place);
            const T* init = job.init.data ? job.init.data + r * job.init.row + vector * job.init.vec : nullptr;
            BothAhead<T> ahead = {job.prefetch ? a + job.a.vec : nullptr, nullptr};
            if (job.prefetch && under_way < job.inner) {
                ahead.b = b + (job.inner + under_way) * job.b.row;
                under_way += job.inner / product_tn_unroll;
            }
            T* const output = job.output.data + r * job.output.row + vector * job.output.vec;
            ProductTnTiles<T, V, Layout, Width>::at[place](job, a, b, init, output, ahead, width);
            a += count;
            r += count;
            left -= count;
        }
    }
}

template <class Layout, class T> void product_tn_whole(const Product<T>& job, Index& vector, Index vectors) {
    if constexpr (product_tn_vectors == 3) {
        // 4 vectors go as 2 + 2, not 3 + 1
        for (; vector + 3 <= vectors && vectors - vector != 4; vector += 3) product_tn_columns<3, Layout>(job, vector, All{});
        for (; vector + 2 <= vectors; vector += 2) product_tn_columns<2, Layout>(job, vector, All{});
    }
    for (; vector < vectors; ++vector) product_tn_columns<1, Layout>(job, vector, All{});
}

template <class T> void product_tn(const Product<T>& job) noexcept {
    const Index vectors = (job.cols + lanes<T> - 1) / lanes<T>;
    const Index tail = job.cols % lanes<T>;
    const Index whole = job.padded || tail == 0 ? vectors : vectors - 1;
    Index vector = 0;
    if (job.a.row == lanes<T> && job.b.row == lanes<T>) product_tn_whole<InPanels>(job, vector, whole);
    else product_tn_whole<Anyhow>(job, vector, whole);
    if (whole < vectors) product_tn_columns<1, Anyhow>(job, vector, Tail{tail});
}

// The same for few samples (at most `few_samples`), of whole vectors: output (cols / lanes, rows, lanes) = a^T . b, a row at a
// time. Rows of b stay in registers while a's values pass by.
template <int samples, class T> void outer_product(const Product<T>& job) {
    for (Index v = 0; v * lanes<T> < job.cols; ++v) {
        Vec<T> value[samples];
        _Pragma("GCC unroll 4") for (int s = 0; s < samples; ++s) value[s] = load(job.b.data + s * job.b.row + v * job.b.vec);
        T* output = job.output.data + v * job.output.vec;
        for (Index first = 0; first < job.rows; first += lanes<T>) {
            const T* const a = job.a.data + first / lanes<T> * job.a.vec;
            const Index count = job.rows - first < lanes<T> ? job.rows - first : lanes<T>;
            for (Index r = 0; r < count; ++r, output += job.output.row) {
                Vec<T> sum = {};
                _Pragma("GCC unroll 4") for (int s = 0; s < samples; ++s) sum = fma(broadcast(a[s * job.a.row + r]), value[s], sum);
                store(output, sum);
            }
        }
    }
}

template <class T> void product_tn_few(const Product<T>& job) noexcept {
    static_assert(few_samples == 4);
    switch (job.inner) {
        case 1: return outer_product<1>(job);
        case 2: return outer_product<2>(job);
        case 3: return outer_product<3>(job);
        case 4: return outer_product<4>(job);
    }
}
