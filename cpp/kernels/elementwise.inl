// Walking over n elements, a vector at a time

// Calls step(offset, width) for each vector of n elements.
template <class T, class Step> CHAINRULE_INLINE void for_each_vector(Index n, Step step) {
    Index i = 0;
    for (; i + lanes<T> <= n; i += lanes<T>) step(i, All{});
    if (i < n) step(i, Tail{n - i});
}

template <class T> void copy_all(Index n, const T* source, T* target) {
    for_each_vector<T>(n, [=](Index i, auto width) { store(target + i, load(source + i, width), width); });
}

template <class T> void multiply(Index n, const T* a, const T* b, T* output) noexcept {
    for_each_vector<T>(n, [=](Index i, auto width) { store(output + i, load(a + i, width) * load(b + i, width), width); });
}

// A layer's factor for each column: output = inputs * factors, and its gradient, the sum over samples of a * b.
// Samples in rows (panels) or in lanes (a row of samples for each column).

template <class T> void scale_columns(Index rows, Index cols, Grid<const T> inputs, const T* factors, Grid<T> output, bool samples_in_lanes) noexcept {
    if (samples_in_lanes) {
        for (Index c = 0; c < cols; ++c)
            for (Index r = 0; r < rows; r += lanes<T>)
                store(output.data + c * output.row + r, broadcast(factors[c]) * load(inputs.data + c * inputs.row + r));
        return;
    }
    for (Index c = 0; c < cols; c += lanes<T>) {
        const Vec<T> factor = load(factors + c);
        for (Index r = 0; r < rows; ++r) {
            const Index panel = c / lanes<T>;
            store(output.data + panel * output.vec + r * output.row, factor * load(inputs.data + panel * inputs.vec + r * inputs.row));
        }
    }
}

template <class T> void sum_products(Index rows, Index cols, Grid<const T> a, Grid<const T> b, T* sums, bool samples_in_lanes) noexcept {
    for (Index c = 0; c < cols; c += samples_in_lanes ? 1 : lanes<T>) {
        const T* at = a.data + (samples_in_lanes ? c * a.row : c / lanes<T> * a.vec);
        const T* bt = b.data + (samples_in_lanes ? c * b.row : c / lanes<T> * b.vec);
        const Index step = samples_in_lanes ? lanes<T> : 1, a_step = samples_in_lanes ? lanes<T> : a.row, b_step = samples_in_lanes ? lanes<T> : b.row;
        Vec<T> sum = {};
        for (Index r = 0; r < rows; r += step, at += a_step, bt += b_step) sum = fma(load(at), load(bt), sum);
        if (samples_in_lanes) sums[c] = sum_lanes(sum);
        else store(sums + c, sum);
    }
}

// A share a of an activation for each column: output = (1 - a) * inputs + a * activated; dinputs likewise, from dvalues and
// what the activation makes of them; sums over the rows, in order, of dvalues * (activated - inputs).

template <class T> CHAINRULE_INLINE Vec<T> mixed_by_share(const Vec<T>& share, const Vec<T>& plain, const Vec<T>& activated) {
    return fma(share, activated, (broadcast(T(1)) - share) * plain);
}

template <class T> void parametric_forward(const ParametricJob<T>& job) noexcept {
    for_each_vector<T>(job.columns, [&](Index c, auto width) {
        const Vec<T> share = load(job.shares + c, width);
        for (Index i = c, r = 0; r < job.rows; ++r, i += job.row)
            store(job.output + i, mixed_by_share(share, load(job.inputs + i, width), load(job.activated + i, width)), width);
    });
}

template <class T> void parametric_backward(const ParametricJob<T>& job) noexcept {
    for_each_vector<T>(job.columns, [&](Index c, auto width) {
        const Vec<T> share = load(job.shares + c, width);
        Vec<T> sum = {};
        for (Index i = c, r = 0; r < job.rows; ++r, i += job.row) {
            const Vec<T> dvalues = load(job.dvalues + i, width);
            sum = fma(dvalues, load(job.activated + i, width) - load(job.inputs + i, width), sum);
            if (job.dinputs) store(job.dinputs + i, mixed_by_share(share, dvalues, load(job.through + i, width)), width);
        }
        store(job.sums + c, sum, width);
    });
}
