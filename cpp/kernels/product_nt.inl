// output = a . b^T, the dot-product form
//
// Shapes: a (rows, inner), b (cols, inner), output (rows, cols), each a Grid.
//
// For few rows, where a transposed copy of b would cost more than the product, and for gradients with samples in the
// lanes. `lanes` partial sums run along the inner index; then
//   product_nt        adds those of a whole tile together, in the tree of sums_of_lanes, so that a sum costs three
//                     operations and not thirty
//   lane_sums_nt   keeps them for a later call, which goes on from there

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int registers = 32;
#else
constexpr int registers = 16;
#endif

// Rows whose partial sums with C columns stay in registers, beside a vector for each column and one of a; at least one,
// whose multiply-adds load the columns.
template <int C> constexpr int rows_in_registers = registers / parts >= 2 * C + 1 ? (registers / parts - C - 1) / C : 1;

// Partial sums of R rows and C columns, going on from those in `sum`.
template <int R, int C, class T>
CHAINRULE_INLINE void add_products(const Product<T>& job, const T* a, const T* b, Vec<T> (&sum)[R][C]) {
    const Index a_row = job.a.row, b_row = job.b.row, a_vec = job.a.vec, b_vec = job.b.vec;
    const auto multiply_add = [&](auto width) {
        Vec<T> value[C];
        _Pragma("GCC unroll 4") for (int c = 0; c < C; ++c) {
            value[c] = load(b + c * b_row, width);
            if constexpr (R > 1) value[c] = in_register(value[c]);  // used once, it is loaded by its multiply-add
        }
        _Pragma("GCC unroll 16") for (int r = 0; r < R; ++r) {
            Vec<T> input = load(a + r * a_row, width);
            if constexpr (C > 1) input = in_register(input);
            _Pragma("GCC unroll 4") for (int c = 0; c < C; ++c) sum[r][c] = fma(input, value[c], sum[r][c]);
        }
    };
    Index left = job.inner;
    for (; left >= lanes<T> || (left > 0 && job.padded); left -= lanes<T>, a += a_vec, b += b_vec) multiply_add(All{});
    if (left > 0) multiply_add(Tail{left});
}

// Calls finish(first, sum) with the partial sums of the tile at (r, c), as many rows from row `first` of it on as fit into
// registers.
template <int R, int C, int first = 0, class T, class Finish>
CHAINRULE_INLINE void lane_sums(const Product<T>& job, Index r, Index c, const Finish& finish) {
    constexpr int count = R - first < rows_in_registers<C> ? R - first : rows_in_registers<C>;
    Vec<T> sum[count][C];
    const T* const init = job.init.data ? job.init.data + (r + first) * job.init.row + c * job.init.vec : nullptr;
    start_tile(sum, job.init_last ? nullptr : init, job.init.row, job.init.vec, All{});
    add_products(job, job.a.data + (r + first) * job.a.row, job.b.data + c * job.b.row, sum);
    if (job.init_last) add_to_tile(sum, init, job.init.row, job.init.vec, All{});
    finish(first, sum);
    if constexpr (first + count < R) lane_sums<R, C, first + count>(job, r, c, finish);
}

// `tiles` tiles of R rows, one below the other from row r on, and as many of C columns as fit between columns c and last;
// End says what becomes of their partial sums.
template <class End, int R, int C, class T> void product_nt_tiles(const Product<T>& job, Index r, Index tiles, Index c, Index last) {
    for (; tiles > 0; --tiles, r += R)
        for (Index column = c; column + C <= last; column += C) End::template tile<R, C>(job, r, column);
}

template <class T> using ProductNtTiles = void (*)(const Product<T>&, Index, Index, Index, Index);
template <class End, int C, class T> constexpr int tallest_nt = End::template sums<T> / C;
template <class End, int C, class T, class Places = PlacesOfHeights<tallest_nt<End, C, T>>> struct ProductNtHeights;
template <class End, int C, class T, int... P> struct ProductNtHeights<End, C, T, Indices<P...>> {
    static constexpr ProductNtTiles<T> at[] = {product_nt_tiles<End, TileHeights<tallest_nt<End, C, T>>::height(P), C, T>...};
};

// The columns from c on, as many as C at a time make; all rows.
template <class End, int C, class T> void product_nt_columns(const Product<T>& job, Index& c) {
    if (c + C > job.cols) return;
    constexpr int tallest = tallest_nt<End, C, T>;
    for (Index left = job.rows; left > 0;) {
        const int place = next_tile<tallest>(left);
        const Index height = TileHeights<tallest>::height(place), r = job.rows - left;
        Index same = 0;
        do ++same, left -= height;
        while (left > 0 && next_tile<tallest>(left) == place);
        ProductNtHeights<End, C, T>::at[place](job, r, same, c, job.cols);
    }
    c += (job.cols - c) / C * C;
}

template <class End, class T> void product_nt_by(const Product<T>& job) {
    constexpr int sums = End::template sums<T>;
    Index c = 0;
    if constexpr (sums >= 8) {
        product_nt_columns<End, 4>(job, c);
        product_nt_columns<End, 3>(job, c);
    }
    if constexpr (sums >= 4) product_nt_columns<End, 2>(job, c);
    product_nt_columns<End, 1>(job, c);
}

// --- totals -------------------------------------------------------------------------------------------------------

// Tiles of as many sums as one register takes: the tree then adds full registers.
struct Totals {
    template <class T> static constexpr int sums = part_lanes<T>;

    template <int R, int C, class T> static CHAINRULE_INLINE void tile(const Product<T>& job, Index r, Index c) {
        Native<T> folded[lanes<T>] = {};
        lane_sums<R, C>(job, r, c, [&](int first, const auto& sum) {
            int i = first * C;
            for (const auto& row : sum)
                for (const Vec<T>& each : row) folded[i++] = fold(each);
        });
        const Vec<T> total = sums_of_lanes<R * C, T>(folded);
        // a tile's columns lie side by side: their first is a multiple of 4
        T* const place = job.output.data + r * job.output.row + c / lanes<T> * job.output.vec + c % lanes<T>;
        if (job.output.row == C) return store_some(place, total, R * C);
        alignas(line_bytes) T lane[lanes<T>];
        store(lane, total);
        _Pragma("GCC unroll 16") for (int i = 0; i < R; ++i) __builtin_memcpy(place + i * job.output.row, lane + i * C, C * sizeof(T));
    }
};

template <class T> void product_nt(const Product<T>& job) noexcept { product_nt_by<Totals>(job); }

// --- partial sums ---------------------------------------------------------------------------------------------------

// Tiles of as many sums as stay in registers: AVX-512 16, AVX2 and NEON 2 x 2, SSE2 2 x 1.
struct Partials {
    template <class T> static constexpr int sums = parts == 1 ? 16 : registers / parts / 2;

    template <int R, int C, class T> static CHAINRULE_INLINE void tile(const Product<T>& job, Index r, Index c) {
        lane_sums<R, C>(job, r, c, [&](int first, auto& sum) {
            finish_tile(sum, job.output.data + (r + first) * job.output.row + c * job.output.vec, job.output.row, job.output.vec, All{});
        });
    }
};

template <class T> void lane_sums_nt(const Product<T>& job) noexcept { product_nt_by<Partials>(job); }
