// Transposing and gathering, in squares of lanes x lanes held in registers.
//
// transpose:         source (rows, cols) -> output (cols, rows); lanes beyond `rows` become 0
// gather:            user rows, in order or by index, converted to T -> panels; lanes beyond `cols` become 0
// gather_transposed: the same -> (cols, rows)

// Rows r < rows and lanes c < cols of the square; the rest is 0.
template <class T> CHAINRULE_INLINE void load_square(Vec<T> (&x)[lanes<T>], const T* source, Index row, Index rows, Index cols) {
    if (rows == lanes<T> && cols == lanes<T>) {
        _Pragma("GCC unroll 16") for (int r = 0; r < lanes<T>; ++r) x[r] = load(source + r * row);
        return;
    }
    _Pragma("GCC unroll 16") for (int r = 0; r < lanes<T>; ++r)
        x[r] = r < rows ? load(source + r * row, Tail{cols}) : Vec<T>{};
}
template <class T> CHAINRULE_INLINE void store_square(const Vec<T> (&x)[lanes<T>], T* target, Index row, Index rows, Index cols) {
    if (cols == lanes<T>) {
        _Pragma("GCC unroll 16") for (int r = 0; r < lanes<T>; ++r)
            if (r < rows) store(target + r * row, x[r]);
        return;
    }
    _Pragma("GCC unroll 16") for (int r = 0; r < lanes<T>; ++r)
        if (r < rows) store(target + r * row, x[r], Tail{cols});
}

CHAINRULE_INLINE Index at_most(Index value, Index limit) { return value < limit ? value : limit; }

template <class T> void transpose(Index rows, Index cols, Grid<const T> source, Grid<T> output) noexcept {
    for (Index r = 0; r < rows; r += lanes<T>)
        for (Index c = 0; c < cols; c += lanes<T>) {
            Vec<T> x[lanes<T>];
            load_square(x, source.data + r * source.row + c / lanes<T> * source.vec, source.row, at_most(rows - r, lanes<T>),
                        at_most(cols - c, lanes<T>));
            transpose_square(x);
            store_square(x, output.data + c * output.row + r / lanes<T> * output.vec, output.row, at_most(cols - c, lanes<T>), lanes<T>);
        }
}

template <class T> const T* source_row(const GatherJob<T>& job, const T* source, Index r) {
    return source + (job.order ? static_cast<Index>(job.order[job.first + r]) : job.first + r) * job.source_row;
}

// `lanes` numbers of any type, or the first ones, as T.
template <class T, class Source> CHAINRULE_INLINE Vec<T> load_converted(const Source* source, All) {
    typedef Source Wide __attribute__((vector_size(part_lanes<T> * sizeof(Source)), aligned(alignof(Source)), may_alias));
    Vec<T> x;
    EACH_PART x.part[p] = __builtin_convertvector(*reinterpret_cast<const Wide*>(source + p * part_lanes<T>), Native<T>);
    return x;
}
template <class T, class Source> CHAINRULE_INLINE Vec<T> load_converted(const Source* source, Tail width) {
    if constexpr (is_same<T, Source>) return load(source, width);
    alignas(line_bytes) T lane[lanes<T>] = {};
    for (Index i = 0; i < width.count; ++i) lane[i] = static_cast<T>(source[i]);
    return load(lane);
}

template <class T, class Source> void gather_from(const GatherJob<T>& job, const Source* source) {
    GatherJob<Source> rows = {job.rows, job.cols, nullptr, Number::float32, job.source_row, job.order, job.first, {nullptr, 0, 0}};
    for (Index r = 0; r < job.rows; ++r) {
        const Source* from = source_row(rows, source, r);
        T* to = job.output.data + r * job.output.row;
        for_each_vector<T>(job.cols, [&](Index c, auto width) {
            store(to, load_converted<T>(from + c, width));
            to += job.output.vec;
        });
    }
}

template <class T, class Source> void gather_transposed_from(const GatherJob<T>& job, const Source* source) {
    GatherJob<Source> rows = {job.rows, job.cols, nullptr, Number::float32, job.source_row, job.order, job.first, {nullptr, 0, 0}};
    for (Index r = 0; r < job.rows; r += lanes<T>)
        for_each_vector<T>(job.cols, [&](Index c, auto width) {
            Vec<T> x[lanes<T>];
            if constexpr (!is_same<T, Source>) {  // seldom: converted by a loop, through memory
                T square[lanes<T> * lanes<T>];
                const Index count = at_most(job.rows - r, lanes<T>);
                _Pragma("GCC unroll 1") for (Index i = 0; i < count; ++i) store(square + i * lanes<T>, load_converted<T>(source_row(rows, source, r + i) + c, width));
                load_square(x, square, lanes<T>, count, lanes<T>);
            } else if (r + lanes<T> <= job.rows)
                _Pragma("GCC unroll 16") for (int i = 0; i < lanes<T>; ++i) x[i] = load_converted<T>(source_row(rows, source, r + i) + c, width);
            else
                _Pragma("GCC unroll 16") for (int i = 0; i < lanes<T>; ++i)
                    x[i] = r + i < job.rows ? load_converted<T>(source_row(rows, source, r + i) + c, width) : Vec<T>{};
            transpose_square(x);
            store_square(x, job.output.data + c * job.output.row + r / lanes<T> * job.output.vec, job.output.row,
                         at_most(job.cols - c, lanes<T>), lanes<T>);
        });
}

template <class T> void gather(const GatherJob<T>& job) noexcept {
    switch (job.numbers) {
        case Number::float32: return gather_from(job, static_cast<const float*>(job.source));
        case Number::float64: return gather_from(job, static_cast<const double*>(job.source));
        case Number::uint8: return gather_from(job, static_cast<const std::uint8_t*>(job.source));
        case Number::int8: return gather_from(job, static_cast<const std::int8_t*>(job.source));
        case Number::uint16: return gather_from(job, static_cast<const std::uint16_t*>(job.source));
        case Number::int16: return gather_from(job, static_cast<const std::int16_t*>(job.source));
        case Number::uint32: return gather_from(job, static_cast<const std::uint32_t*>(job.source));
        case Number::int32: return gather_from(job, static_cast<const std::int32_t*>(job.source));
        case Number::uint64: return gather_from(job, static_cast<const std::uint64_t*>(job.source));
        case Number::int64: return gather_from(job, static_cast<const std::int64_t*>(job.source));
    }
}
template <class T> void gather_transposed(const GatherJob<T>& job) noexcept {
    if (job.numbers == Number::float64) gather_transposed_from(job, static_cast<const double*>(job.source));
    else gather_transposed_from(job, static_cast<const float*>(job.source));
}
