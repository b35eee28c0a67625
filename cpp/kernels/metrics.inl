// Metrics: the list, and what counts as right, `lanes` samples at a time
//
// A part gives the share of a sample's outputs that are right. What the outputs mean: a class by the largest of them, yes or
// no by a threshold (of probabilities or of logits), a sign, a value.

template <class T> struct Targets;

template <class T> CHAINRULE_INLINE Vec<T> largest_column(const Block<T>& block, Index cols) {
    Vec<T> largest = load(block.column(0)), index = {};
    for (Index j = 1; j < cols; ++j) {
        const Vec<T> x = load(block.column(j));
        const auto more = largest < x;
        largest = select(more, x, largest);
        index = select(more, broadcast(T(j)), index);
    }
    return index;
}

// The share of columns whose output is right by Right::is_right(output, target, job).
template <class Right, class T> Vec<T> share_of_columns(const LossJob<T>& job, const Block<T>& p, const Targets<T>& y) {
    Vec<T> sum = {};
    for (Index j = 0; j < job.cols; ++j)
        sum = sum + select(Right::is_right(load(p.column(j)), y.column(j), job), broadcast(T(1)), Vec<T>{});
    return sum * broadcast(T(1) / T(job.cols));
}

struct NoMetric {
    static constexpr const char *name = "none", *formula = "nothing is counted";
    template <class T> static Vec<T> hits(const LossJob<T>&, const Block<T>&, const Targets<T>&) { return {}; }
};

struct CategoricalMetric {
    static constexpr const char *name = "categorical", *formula = "the largest output is that of the label, or of the largest target";
    template <class T> static Vec<T> hits(const LossJob<T>& job, const Block<T>& p, const Targets<T>& y) {
        const Vec<T> truth = y.has_labels ? y.label : largest_column(y.block, job.cols);
        return select(largest_column(p, job.cols) == truth, broadcast(T(1)), Vec<T>{});
    }
};

template <class Self> struct ByColumns {
    template <class T> static Vec<T> hits(const LossJob<T>& job, const Block<T>& p, const Targets<T>& y) { return share_of_columns<Self>(job, p, y); }
};

struct BinaryMetric : ByColumns<BinaryMetric> {
    static constexpr const char *name = "binary", *formula = "1 where output > 1/2, else 0, equals the target";
    template <class T> static CHAINRULE_INLINE Mask<T> is_right(const Vec<T>& output, const Vec<T>& target, const LossJob<T>&) {
        return select(broadcast(T(0.5)) < output, broadcast(T(1)), Vec<T>{}) == target;
    }
};

struct BinaryLogitsMetric : ByColumns<BinaryLogitsMetric> {
    static constexpr const char *name = "binary_logits", *formula = "1 where output > 0, else 0, equals the target";
    template <class T> static CHAINRULE_INLINE Mask<T> is_right(const Vec<T>& output, const Vec<T>& target, const LossJob<T>&) {
        return select(Vec<T>{} < output, broadcast(T(1)), Vec<T>{}) == target;
    }
};

struct SignsMetric : ByColumns<SignsMetric> {
    static constexpr const char *name = "signs", *formula = "output > 0 where target > 0, and only there";
    template <class T> static CHAINRULE_INLINE Mask<T> is_right(const Vec<T>& output, const Vec<T>& target, const LossJob<T>&) {
        return select(Vec<T>{} < output, broadcast(T(1)), Vec<T>{}) == select(Vec<T>{} < target, broadcast(T(1)), Vec<T>{});
    }
};

struct RegressionMetric : ByColumns<RegressionMetric> {
    static constexpr const char *name = "regression", *formula = "|output - target| < precision";
    template <class T> static CHAINRULE_INLINE Mask<T> is_right(const Vec<T>& output, const Vec<T>& target, const LossJob<T>& job) {
        return absolute(output - target) < broadcast(T(job.precision));
    }
};

using Metrics = List<NoMetric, CategoricalMetric, BinaryMetric, BinaryLogitsMetric, SignsMetric, RegressionMetric>;
static_assert(place_of<NoMetric>(Metrics{}) == static_cast<int>(Metric::none));
