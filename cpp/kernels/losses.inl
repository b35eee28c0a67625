// Loss, gradient and accuracy, `lanes` samples at a time.
//
// A block holds column j of its samples in one vector, so sums over columns are plain chains and every layout gives
// the same bits. Grids stored by rows are transposed into scratch first, and the gradient back.
//
// Formulas per sample (m columns; sums over j); the gradient is multiplied by scale, 1 / n as a rule:
//   half squared error         sum (p - y)^2 / 2             p - y
//   mean squared error         mean (p - y)^2                2 (p - y) / m
//   mean absolute error        mean |p - y|                  sign(p - y) / m
//   binary cross-entropy       mean -(y log p + (1 - y) log(1 - p))   -(y / p - (1 - y) / (1 - p)) / m, p clipped
//   categorical cross-entropy  sum -y log p                  -y / p, p clipped
//   softmax cross-entropy      the same with p = softmax(x)  p - y

constexpr double smallest_probability = 1e-7;

template <class T> CHAINRULE_INLINE Vec<T> clip_probability(const Vec<T>& p) {
    return larger(broadcast(T(smallest_probability)), smaller(broadcast(T(1 - smallest_probability)), p));
}

struct HalfSquaredError {
    static constexpr bool is_mean = false, is_categorical = false;
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p, const Vec<T>& y) {
        return (p - y) * (p - y) * broadcast(T(0.5));
    }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y) { return p - y; }
};
struct MeanSquaredError {
    static constexpr bool is_mean = true, is_categorical = false;
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p, const Vec<T>& y) { return (p - y) * (p - y); }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y) { return (p - y) + (p - y); }
};
struct MeanAbsoluteError {
    static constexpr bool is_mean = true, is_categorical = false;
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p, const Vec<T>& y) { return absolute(p - y); }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y) {
        const Vec<T> d = p - y;
        const Vec<T> sign = select(d < Vec<T>{}, broadcast(T(-1)), broadcast(T(1)));
        return select(d == Vec<T>{}, d, select(d == d, sign, d));
    }
};
struct BinaryCrossentropy {
    static constexpr bool is_mean = true, is_categorical = false;
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p, const Vec<T>& y) {
        const Vec<T> one = broadcast(T(1)), clipped = clip_probability(p);
        return Vec<T>{} - fma(y, logarithm(clipped), (one - y) * logarithm(one - clipped));
    }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y) {
        const Vec<T> one = broadcast(T(1)), clipped = clip_probability(p);
        return (one - y) / (one - clipped) - y / clipped;
    }
};
struct CategoricalCrossentropy {
    static constexpr bool is_mean = false, is_categorical = true;
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p) { return Vec<T>{} - logarithm(clip_probability(p)); }
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p, const Vec<T>& y) { return y * value(p); }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y) {
        return Vec<T>{} - y / larger(broadcast(T(smallest_probability)), p);
    }
};
// Applied to probabilities, after softmax_block.
struct SoftmaxCrossentropy : CategoricalCrossentropy {
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y) { return p - y; }
};

// `lanes` samples: column j at data + j * row.
template <class T> struct Block {
    T* data;
    Index row;
    CHAINRULE_INLINE T* column(Index j) const { return data + j * row; }
};

// The samples from r on as a block: in place where samples stand in lanes, else transposed into scratch.
template <class T>
Block<T> load_block(const Grid<T>& grid, bool samples_in_lanes, Index r, Index rows, Index cols, bool padded, T* scratch) {
    if (samples_in_lanes) return {grid.data + r / lanes<T> * grid.vec, grid.row};
    for (Index c = 0; c < cols; c += lanes<T>) {
        Vec<T> x[lanes<T>];
        load_square(x, grid.data + r * grid.row + c / lanes<T> * grid.vec, grid.row, rows, padded ? lanes<T> : at_most(cols - c, lanes<T>));
        transpose_square(x);
        store_square(x, scratch + c * lanes<T>, lanes<T>, at_most(cols - c, lanes<T>), lanes<T>);
    }
    return {scratch, lanes<T>};
}
template <class T> Block<T> load_block(const Grid<const T>& grid, bool samples_in_lanes, Index r, Index rows, Index cols, bool padded, T* scratch) {
    return load_block(Grid<T>{const_cast<T*>(grid.data), grid.row, grid.vec}, samples_in_lanes, r, rows, cols, padded, scratch);
}

template <class T>
void store_block(const Block<T>& block, const Grid<T>& grid, Index r, Index rows, Index cols, bool padded) {
    for (Index c = 0; c < cols; c += lanes<T>) {
        Vec<T> x[lanes<T>];
        load_square(x, block.column(c), block.row, at_most(cols - c, lanes<T>), lanes<T>);
        transpose_square(x);
        store_square(x, grid.data + r * grid.row + c / lanes<T> * grid.vec, grid.row, rows, padded ? lanes<T> : at_most(cols - c, lanes<T>));
    }
}

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

template <class T> struct Targets {
    Block<T> block;
    Vec<T> label;
    bool has_labels;
    CHAINRULE_INLINE Vec<T> column(Index j) const {
        if (has_labels) return select(label == broadcast(T(j)), broadcast(T(1)), Vec<T>{});
        return load(block.column(j));
    }
};

template <class Formula, class T>
void loss_block(const LossJob<T>& job, const Block<T>& p, const Targets<T>& y, const Block<T>& dvalues, const Vec<T>& scale,
                Vec<T>& sum) {
    const Vec<T> share = broadcast(Formula::is_mean ? T(1) / T(job.cols) : T(1));
    const bool by_label = Formula::is_categorical && y.has_labels;
    Vec<T> of_label = {};  // the output of the sample's class: one logarithm instead of one for each class
    for (Index j = 0; j < job.cols; ++j) {
        const Vec<T> output = load(p.column(j)), target = y.column(j);
        if (by_label) of_label = select(y.label == broadcast(T(j)), output, of_label);
        else if (job.sample_losses) sum = sum + Formula::value(output, target);
        if (dvalues.data) store(dvalues.column(j), Formula::gradient(output, target) * (share * scale));
    }
    if constexpr (Formula::is_categorical)
        if (by_label && job.sample_losses) sum = Formula::value(of_label);
    sum = sum * share;
}

template <class T> Vec<T> largest_column(const LossJob<T>& job, const Block<T>& p) {
    Vec<T> largest = load(p.column(0)), index = {};
    for (Index j = 1; j < job.cols; ++j) {
        const Vec<T> x = load(p.column(j));
        const auto more = largest < x;
        largest = select(more, x, largest);
        index = select(more, broadcast(T(j)), index);
    }
    return index;
}

template <class T> Vec<T> hits_block(const LossJob<T>& job, const Block<T>& p, const Targets<T>& y) {
    const Vec<T> one = broadcast(T(1));
    if (job.metric == Metric::categorical) {
        const Vec<T> truth = y.has_labels ? y.label : largest_column(job, y.block);
        return select(largest_column(job, p) == truth, one, Vec<T>{});
    }
    Vec<T> sum = {};
    for (Index j = 0; j < job.cols; ++j) {
        const Vec<T> output = load(p.column(j)), target = y.column(j);
        if (job.metric == Metric::binary) {
            const Vec<T> prediction = select(broadcast(T(0.5)) < output, one, Vec<T>{});
            sum = sum + select(prediction == target, one, Vec<T>{});
        } else {
            sum = sum + select(absolute(output - target) < broadcast(T(job.precision)), one, Vec<T>{});
        }
    }
    return sum * broadcast(T(1) / T(job.cols));
}

template <class T> Targets<T> load_targets(const LossJob<T>& job, Index r, Index rows, T* scratch) {
    Targets<T> y = {{nullptr, 0}, {}, job.labels != nullptr};
    if (!job.labels) {
        y.block = load_block(job.targets, job.samples_in_lanes, r, rows, job.cols, job.padded, scratch);
        return y;
    }
    y.label = rows == lanes<T> ? load_converted<T>(job.labels + r, All{}) : load_converted<T>(job.labels + r, Tail{rows});
    return y;
}

template <class T> void loss(const LossJob<T>& job) noexcept {
    T* const scratch_y = job.scratch + job.cols * lanes<T>;
    T* const scratch_d = scratch_y + job.cols * lanes<T>;
    for (Index r = 0; r < job.rows; r += lanes<T>) {
        const Index rows = at_most(job.rows - r, lanes<T>);
        const Block<T> p = load_block(job.output, job.samples_in_lanes, r, rows, job.cols, job.padded, job.scratch);
        const Targets<T> y = load_targets(job, r, rows, scratch_y);
        Block<T> d = {nullptr, lanes<T>};
        if (job.dvalues.data) d = job.samples_in_lanes ? Block<T>{job.dvalues.data + r / lanes<T> * job.dvalues.vec, job.dvalues.row} : Block<T>{scratch_d, lanes<T>};
        // lanes without a sample get the scale 0, so that padding never adds to a sum over samples
        const Vec<T> scale = job.sample_scale ? load(job.sample_scale + r, Tail{rows}) : first_lanes(job.scale, rows);
        Vec<T> sum = {};
        switch (job.loss) {
            case Loss::half_squared_error: loss_block<HalfSquaredError>(job, p, y, d, scale, sum); break;
            case Loss::mean_squared_error: loss_block<MeanSquaredError>(job, p, y, d, scale, sum); break;
            case Loss::mean_absolute_error: loss_block<MeanAbsoluteError>(job, p, y, d, scale, sum); break;
            case Loss::binary_crossentropy: loss_block<BinaryCrossentropy>(job, p, y, d, scale, sum); break;
            case Loss::categorical_crossentropy: loss_block<CategoricalCrossentropy>(job, p, y, d, scale, sum); break;
            case Loss::softmax_crossentropy:
                softmax_block(p, p, job.cols);
                if (!job.samples_in_lanes) store_block(p, job.output, r, rows, job.cols, job.padded);
                loss_block<SoftmaxCrossentropy>(job, p, y, d, scale, sum);
                break;
        }
        if (job.sample_losses) store_some(job.sample_losses + r, sum, rows);
        if (job.metric != Metric::none) store_some(job.hits + r, hits_block(job, p, y), rows);
        if (d.data && !job.samples_in_lanes) store_block(d, job.dvalues, r, rows, job.cols, job.padded);
    }
}
