// Loss, gradient and accuracy of a block of samples, for any part of the lists of losses and metrics.

template <class T> struct Targets {
    Block<T> block;
    Vec<T> label;
    bool has_labels;
    Index last;  // column of `block`
    CHAINRULE_INLINE Vec<T> column(Index j) const {
        if (has_labels) return select(label == broadcast(T(j)), broadcast(T(1)), Vec<T>{});
        return load(block.column(at_most(j, last)));
    }
};

template <class Formula> constexpr bool takes_labels = Formula::is_categorical;

// Targets as a formula sees them: with label smoothing e they are (1 - e) y + e / m.
template <class Formula, class T> struct Smoothed {
    const Targets<T>& y;
    T keep = 1, shift = 0;
    Smoothed(const LossJob<T>& job, const Targets<T>& targets) : y(targets) {
        if constexpr (Formula::is_categorical)
            if (job.parameters && job.parameters[0] != 0) {
                keep = T(1 - job.parameters[0]);
                shift = T(job.parameters[0] / static_cast<double>(job.cols));
            }
    }
    CHAINRULE_INLINE bool smooth() const { return Formula::is_categorical && keep != T(1); }
    CHAINRULE_INLINE Vec<T> column(Index j) const { return smooth() ? fma(broadcast(keep), y.column(j), broadcast(shift)) : y.column(j); }
};

template <class Formula, class T> CHAINRULE_INLINE Targets<T> load_targets(const LossJob<T>& job, Index r, Index rows, T* scratch) {
    Targets<T> y = {{nullptr, 0}, {}, takes_labels<Formula> && job.labels, job.target_cols - 1};
    if (!y.has_labels) {
        y.block = load_block(job.targets, job.samples_in_lanes, r, rows, job.target_cols, job.padded, scratch);
        return y;
    }
    y.label = rows == lanes<T> ? load_converted<T>(job.labels + r, All{}) : load_converted<T>(job.labels + r, Tail{rows});
    return y;
}

// The sum of the targets, where a formula asks for it: of labels it is 1.
template <class Formula, class T> CHAINRULE_INLINE Vec<T> total_of(const Smoothed<Formula, T>& y, Index cols) {
    if constexpr (!Formula::is_categorical || !is_joint<Formula>) return {};
    if (y.y.has_labels) return broadcast(T(1));
    Vec<T> total = {};
    for (Index j = 0; j < cols; ++j) total = total + y.column(j);
    return total;
}

template <class Formula, class T>
void loss_block(const LossJob<T>& job, const Block<T>& p, const Targets<T>& targets, const Block<T>& dvalues, const Vec<T>& scale,
                                 Vec<T>& sum) {
    const Smoothed<Formula, T> y(job, targets);
    const Vec<T> share = broadcast(Formula::is_mean ? T(1) / T(job.cols) : T(1));
    const bool by_label = Formula::is_categorical && targets.has_labels && !y.smooth();
    Column<T> context = {job.parameters, 0, total_of(y, job.cols)};
    Vec<T> of_label = {};  // the output of the sample's class: one logarithm instead of one for each class
    for (Index j = 0; j < job.cols; ++j) {
        context.index = j;
        Vec<T> output = load(p.column(j));
        const Vec<T> target = y.column(j), logit = output;
        if constexpr (joins_elementwise<Formula>)
            if (!job.activated) {
                output = Formula::Joined::forward(output, nullptr);
                store(p.column(j), output);
            }
        if (by_label) of_label = select(targets.label == broadcast(T(j)), output, of_label);
        else if (job.sample_losses) {
            if constexpr (is_joint<Formula>) sum = sum + Formula::value(logit, output, target, context);
            else sum = sum + Formula::value(output, target, context);
        }
        if (dvalues.data) store(dvalues.column(j), Formula::gradient(output, target, context) * (share * scale));
    }
    if constexpr (Formula::is_categorical)
        if (by_label && job.sample_losses) sum = Formula::value(of_label);
    sum = sum * share;
}

template <class T, class... Parts> Vec<T> hits_block(const LossJob<T>& job, const Block<T>& p, const Targets<T>& y, List<Parts...>) {
    static constexpr Vec<T> (*hits[])(const LossJob<T>&, const Block<T>&, const Targets<T>&) = {&Parts::template hits<T>...};
    return hits[static_cast<int>(job.metric)](job, p, y);
}

template <class Formula, class T> void loss(const LossJob<T>& job) noexcept {
    T* const scratch_y = job.scratch + job.cols * lanes<T>;
    T* const scratch_d = scratch_y + job.cols * lanes<T>;
    for (Index r = 0; r < job.rows; r += lanes<T>) {
        const Index rows = at_most(job.rows - r, lanes<T>);
        const Block<T> p = load_block(job.output, job.samples_in_lanes, r, rows, job.cols, job.padded, job.scratch);
        const Targets<T> y = load_targets<Formula>(job, r, rows, scratch_y);
        Block<T> d = {nullptr, lanes<T>};
        if (job.dvalues.data) d = job.samples_in_lanes ? Block<T>{job.dvalues.data + r / lanes<T> * job.dvalues.vec, job.dvalues.row} : Block<T>{scratch_d, lanes<T>};
        // lanes without a sample get the scale 0, so that padding never adds to a sum over samples
        const Vec<T> scale = job.sample_scale ? load(job.sample_scale + r, Tail{rows}) : first_lanes(job.scale, rows);
        if constexpr (is_joint<Formula> && !joins_elementwise<Formula>)
            if (!job.activated) softmax_block(p, p, job.cols);
        Vec<T> sum = {};
        loss_block<Formula>(job, p, y, d, scale, sum);
        if (is_joint<Formula> && !job.activated && !job.samples_in_lanes) store_block(p, job.output, r, rows, job.cols, job.padded);
        if (job.sample_losses) store_some(job.sample_losses + r, sum, rows);
        if (job.metric != Metric::none) store_some(job.hits + r, hits_block(job, p, y, Metrics{}), rows);
        if (d.data && !job.samples_in_lanes) store_block(d, job.dvalues, r, rows, job.cols, job.padded);
    }
}
