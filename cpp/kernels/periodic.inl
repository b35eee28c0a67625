// Periodic features of columns of user data: sums over k, in order, of cos(2 pi frequencies_k x + phases_k) * weights_k, and x.
//
// The angle is a number of turns, frequencies_k x + phases_k / (2 pi), so that whole turns come off exactly. A block of `lanes`
// samples stands in the lanes; sums over samples are a chain in each lane, and the lanes are added in halves at the end.

template <class T> constexpr T two_pi = T(6.283185307179586476925286766559);
template <class T> constexpr T one_by_two_pi = T(0.15915494309189533576888376337251);

// Turns of the k-th angle.
template <class T> CHAINRULE_INLINE Vec<T> turns_of(const Vec<T>& x, T frequency, T phase) {
    return fma(broadcast(frequency), x, broadcast(phase) * broadcast(one_by_two_pi<T>));
}

template <class T> void periodic_forward(const PeriodicJob<T>& job) noexcept {
    const Index n_outputs = job.mixed + 1;
    const Block<T> features = {job.scratch + lanes<T> * lanes<T>, lanes<T>};
    for (Index r = 0; r < job.rows; r += lanes<T>)
        for (Index c = 0; c < job.columns; c += lanes<T>) {
            const Index rows = at_most(job.rows - r, lanes<T>), columns = at_most(job.columns - c, lanes<T>);
            const Block<T> inputs = load_block(Grid<const T>{job.inputs + c, job.input_row, lanes<T>}, false, r, rows, columns, false, job.scratch);
            for (Index i = 0; i < columns; ++i) {
                const Vec<T> x = load(inputs.column(i));
                const T *frequencies = job.frequencies + (c + i) * job.n_frequencies, *phases = job.phases + (c + i) * job.n_frequencies;
                const T *weights = job.weights + (c + i) * job.n_frequencies * job.mixed, *biases = job.biases + (c + i) * job.mixed;
                T* const sums = features.column(i * n_outputs);
                for (Index m = 0; m < job.mixed; ++m) store(sums + m * lanes<T>, broadcast(biases[m]));
                for (Index k = 0; k < job.n_frequencies; ++k, weights += job.mixed) {
                    const Vec<T> wave = cosine_of_turns(turns_of(x, frequencies[k], phases[k]));
                    for (Index m = 0; m < job.mixed; ++m)
                        store(sums + m * lanes<T>, fma(wave, broadcast(weights[m]), load(sums + m * lanes<T>)));
                }
                store(sums + job.mixed * lanes<T>, x);
            }
            store_block(features, Grid<T>{job.output + c * n_outputs, job.output_row, lanes<T>}, r, rows, columns * n_outputs, false);
        }
}

// The gradients of one column: `sums` is one vector for each, as they stand in job.sums.
template <class T> void periodic_backward_of(const PeriodicJob<T>& job, Index c, T* sums, T* room) {
    const Index count = job.n_frequencies;
    const T *frequencies = job.frequencies + c * count, *phases = job.phases + c * count;
    T *const dphases = sums + count * lanes<T>, *const dweights = dphases + count * lanes<T>, *const dbiases = dweights + count * job.mixed * lanes<T>;
    for (Index r = 0; r < job.rows; r += lanes<T>) {
        const Index rows = at_most(job.rows - r, lanes<T>);
        const Block<T> dvalues = load_block(Grid<const T>{job.dvalues + c * (job.mixed + 1), job.output_row, lanes<T>}, false, r, rows, job.mixed + 1, false, room);
        alignas(line_bytes) T lane[lanes<T>] = {};
        for (Index i = 0; i < rows; ++i) lane[i] = job.inputs[(r + i) * job.input_row + c];
        const Vec<T> x = load(lane);
        for (Index m = 0; m < job.mixed; ++m) store(dbiases + m * lanes<T>, load(dbiases + m * lanes<T>) + load(dvalues.column(m)));
        Vec<T> dx = {};
        const T* weights = job.weights + c * count * job.mixed;
        T* sum = dweights;
        for (Index k = 0; k < count; ++k) {
            const Turned<T> wave = turned(turns_of(x, frequencies[k], phases[k]));
            Vec<T> dwave = {};
            for (Index m = 0; m < job.mixed; ++m, ++weights, sum += lanes<T>) {
                const Vec<T> dvalue = load(dvalues.column(m));
                dwave = fma(dvalue, broadcast(*weights), dwave);
                store(sum, fma(wave.cosine, dvalue, load(sum)));
            }
            const Vec<T> dangle = Vec<T>{} - dwave * wave.sine;
            store(sums + k * lanes<T>, fma(dangle, x, load(sums + k * lanes<T>)));
            store(dphases + k * lanes<T>, dangle + load(dphases + k * lanes<T>));
            dx = fma(dangle, broadcast(frequencies[k]), dx);
        }
        if (!job.dinputs) continue;
        store(lane, fma(broadcast(two_pi<T>), dx, load(dvalues.column(job.mixed))));
        for (Index i = 0; i < rows; ++i) job.dinputs[(r + i) * job.input_row + c] = lane[i];
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
