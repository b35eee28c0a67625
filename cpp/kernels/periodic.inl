// Periodic features of columns of user data: sums over k, in order, of cos(2 pi frequencies_k x + phases_k) * weights_k, and x.
//
// The angle is a number of turns, frequencies_k x + phases_k / (2 pi), so that whole turns come off exactly. A block of `lanes`
// samples stands in the lanes; sums over samples are a chain in each lane, and the lanes are added in halves at the end.

template <class T> constexpr T two_pi = T(6.283185307179586476925286766559);
template <class T> constexpr T one_by_two_pi = T(0.15915494309189533576888376337251);

// Some rows of a column, 0 behind them; and back. By single numbers: it takes a tenth of what the cosines take.
template <class T> CHAINRULE_INLINE Vec<T> load_column(const T* column, Index row, Index rows) {
    alignas(line_bytes) T lane[lanes<T>] = {};
    _Pragma("GCC unroll 1") for (Index i = 0; i < rows; ++i) lane[i] = column[i * row];
    return load(lane);
}
template <class T> CHAINRULE_INLINE void store_column(const Vec<T>& x, T* column, Index row, Index rows) {
    alignas(line_bytes) T lane[lanes<T>];
    store(lane, x);
    _Pragma("GCC unroll 1") for (Index i = 0; i < rows; ++i) column[i * row] = lane[i];
}

// Turns of the k-th angle.
template <class T> CHAINRULE_INLINE Vec<T> turns_of(const Vec<T>& x, T frequency, T phase) {
    return fma(broadcast(frequency), x, broadcast(phase) * broadcast(one_by_two_pi<T>));
}

template <class T> void periodic_forward(const PeriodicJob<T>& job) noexcept {
    T* const sums = job.scratch;
    for (Index r = 0; r < job.rows; r += lanes<T>)
        for (Index c = 0; c < job.columns; ++c) {
            const Index rows = at_most(job.rows - r, lanes<T>);
            const Vec<T> x = load_column(job.inputs + r * job.input_row + c, job.input_row, rows);
            const T *frequencies = job.frequencies + c * job.n_frequencies, *phases = job.phases + c * job.n_frequencies;
            const T *weights = job.weights + c * job.n_frequencies * job.mixed, *biases = job.biases + c * job.mixed;
            for (Index m = 0; m < job.mixed; ++m) store(sums + m * lanes<T>, broadcast(biases[m]));
            for (Index k = 0; k < job.n_frequencies; ++k, weights += job.mixed) {
                const Vec<T> wave = cosine_of_turns(turns_of(x, frequencies[k], phases[k]));
                for (Index m = 0; m < job.mixed; ++m) store(sums + m * lanes<T>, fma(wave, broadcast(weights[m]), load(sums + m * lanes<T>)));
            }
            store(sums + job.mixed * lanes<T>, x);
            T* const output = job.output + r * job.output_row + c * (job.mixed + 1);
            for (Index m = 0; m <= job.mixed; ++m) store_column(load(sums + m * lanes<T>), output + m, job.output_row, rows);
        }
}

// The gradients of one column: `sums` is one vector for each, as they stand in job.sums.
template <class T> CHAINRULE_INLINE void periodic_backward_of(const PeriodicJob<T>& job, Index c, T* sums, T* dvalues) {
    const Index count = job.n_frequencies;
    const T *frequencies = job.frequencies + c * count, *phases = job.phases + c * count;
    T *const dphases = sums + count * lanes<T>, *const dweights = dphases + count * lanes<T>, *const dbiases = dweights + count * job.mixed * lanes<T>;
    for (Index r = 0; r < job.rows; r += lanes<T>) {
        const Index rows = at_most(job.rows - r, lanes<T>);
        const Vec<T> x = load_column(job.inputs + r * job.input_row + c, job.input_row, rows);
        Vec<T> dx = {};
        for (Index m = 0; m <= job.mixed; ++m) {
            const Vec<T> dvalue = load_column(job.dvalues + r * job.output_row + c * (job.mixed + 1) + m, job.output_row, rows);
            store(dvalues + m * lanes<T>, dvalue);
            if (m < job.mixed) store(dbiases + m * lanes<T>, load(dbiases + m * lanes<T>) + dvalue);
        }
        const T* weights = job.weights + c * count * job.mixed;
        T* sum = dweights;
        for (Index k = 0; k < count; ++k) {
            const Turned<T> wave = turned(turns_of(x, frequencies[k], phases[k]));
            Vec<T> dwave = {};
            for (Index m = 0; m < job.mixed; ++m, ++weights, sum += lanes<T>) {
                const Vec<T> dvalue = load(dvalues + m * lanes<T>);
                dwave = fma(dvalue, broadcast(*weights), dwave);
                store(sum, fma(wave.cosine, dvalue, load(sum)));
            }
            const Vec<T> dangle = Vec<T>{} - dwave * wave.sine;
            store(sums + k * lanes<T>, fma(dangle, x, load(sums + k * lanes<T>)));
            store(dphases + k * lanes<T>, dangle + load(dphases + k * lanes<T>));
            dx = fma(dangle, broadcast(frequencies[k]), dx);
        }
        if (job.dinputs) store_column(fma(broadcast(two_pi<T>), dx, load(dvalues + job.mixed * lanes<T>)), job.dinputs + r * job.input_row + c, job.input_row, rows);
    }
}

template <class T> void periodic_backward(const PeriodicJob<T>& job) noexcept {
    const Index count = job.sums_of_column();
    for (Index c = 0; c < job.columns; ++c) {
        for (Index i = 0; i < count; ++i) store(job.scratch + i * lanes<T>, Vec<T>{});
        periodic_backward_of(job, c, job.scratch, job.scratch + count * lanes<T>);
        for (Index i = 0; i < count; ++i) {
            const T sum = sum_lanes(load(job.scratch + i * lanes<T>));
            job.sums[c * count + i] = i < job.n_frequencies ? two_pi<T> * sum : sum;
        }
    }
}
