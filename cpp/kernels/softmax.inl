// softmax over the columns of each row, and its exact Jacobian product
//
// output_j = exp(x_j - max) / sum_k exp(x_k - max)
// dinputs_j = output_j * (dvalues_j - sum_k dvalues_k output_k)
//
// In blocks of `lanes` samples (blocks.inl).

// softmax over the columns, shifted by the largest one.
template <class T> void softmax_block(const Block<T>& in, const Block<T>& out, Index cols) {
    Vec<T> largest = load(in.column(0));
    for (Index j = 1; j < cols; ++j) {
        const Vec<T> x = load(in.column(j));
        largest = select(x <= largest, largest, x);
    }
    Vec<T> sum = {};
    for (Index j = 0; j < cols; ++j) {
        const Vec<T> e = exponential(load(in.column(j)) - largest);
        sum = sum + e;
        store(out.column(j), e);
    }
    const Vec<T> share = broadcast(T(1)) / sum;
    for (Index j = 0; j < cols; ++j) store(out.column(j), load(out.column(j)) * share);
}

template <class T>
void softmax_forward(Index rows, Index cols, Grid<const T> inputs, Grid<T> output, T* scratch, bool samples_in_lanes,
                     bool padded) noexcept {
    for (Index r = 0; r < rows; r += lanes<T>) {
        const Index count = at_most(rows - r, lanes<T>);
        const Block<T> in = load_block(inputs, samples_in_lanes, r, count, cols, padded, scratch);
        const Block<T> out = samples_in_lanes ? load_block(output, true, r, count, cols, padded, scratch) : in;
        softmax_block(in, out, cols);
        if (!samples_in_lanes) store_block(out, output, r, count, cols, padded);
    }
}

template <class T>
void softmax_backward(Index rows, Index cols, Grid<const T> dvalues, Grid<const T> output, Grid<T> dinputs, T* scratch,
                      bool samples_in_lanes, bool padded) noexcept {
    for (Index r = 0; r < rows; r += lanes<T>) {
        const Index count = at_most(rows - r, lanes<T>);
        const Block<T> p = load_block(output, samples_in_lanes, r, count, cols, padded, scratch);
        const Block<T> d = load_block(dvalues, samples_in_lanes, r, count, cols, padded, scratch + cols * lanes<T>);
        Vec<T> sum = {};
        for (Index j = 0; j < cols; ++j) sum = fma(load(d.column(j)), load(p.column(j)), sum);
        const Block<T> out = samples_in_lanes ? load_block(dinputs, true, r, count, cols, padded, scratch) : d;
        for (Index j = 0; j < cols; ++j) store(out.column(j), load(p.column(j)) * (load(d.column(j)) - sum));
        if (!samples_in_lanes) store_block(out, dinputs, r, count, cols, padded);
    }
}
