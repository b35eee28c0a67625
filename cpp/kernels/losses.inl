// Losses: the list, and each formula once
//
// A part says, beside its name and formulas as text: its parameters; whether the value is a mean over the m columns or a sum
// (the factor 1 / m is not in the formulas); what targets may be; whether class labels will do. `value` and `gradient` take
// a column of outputs p and of targets y. A joint loss includes the last activation (`Joined`): its outputs come as that
// activation's inputs z and its gradient is that of z; `value` takes z too.
//
// Formulas per sample (m columns; sums over j); the gradient is multiplied by scale, 1 / n as a rule.

constexpr double smallest_probability = 1e-7;

template <class T> CHAINRULE_INLINE Vec<T> clip_probability(const Vec<T>& p) {
    return larger(broadcast(T(smallest_probability)), smaller(broadcast(T(1 - smallest_probability)), p));
}
template <class T> CHAINRULE_INLINE Vec<T> not_below_clip(const Vec<T>& p) { return larger(broadcast(T(smallest_probability)), p); }

// -1, 0 or 1; NaN passes.
template <class T> CHAINRULE_INLINE Vec<T> sign_of(const Vec<T>& d) {
    const Vec<T> sign = select(d < Vec<T>{}, broadcast(T(-1)), broadcast(T(1)));
    return select(d == Vec<T>{}, d, select(d == d, sign, d));
}

struct NotJoint {};

// What most have in common; each may say otherwise.
struct LossBase {
    static constexpr Names parameters = no_parameters;
    static constexpr bool is_mean = true, is_categorical = false, parameter_per_output = false, one_target = false;
    static constexpr Domain domain = Domain::real;
    using Joined = NotJoint;
};

// What a formula may look at beside p and y: its parameters, the column's number, the sum of the sample's targets.
template <class T> struct Column {
    const double* parameters;
    Index index;
    Vec<T> total;
};

struct HalfSquaredError : LossBase {
    static constexpr const char *name = "half_squared_error", *value_text = "sum_j (p - y)^2 / 2", *gradient_text = "(p - y) / n";
    static constexpr bool is_mean = false;
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p, const Vec<T>& y, const Column<T>&) {
        return (p - y) * (p - y) * broadcast(T(0.5));
    }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y, const Column<T>&) { return p - y; }
};

struct MeanSquaredError : LossBase {
    static constexpr const char *name = "mean_squared_error", *value_text = "mean_j (p - y)^2", *gradient_text = "2 (p - y) / m / n";
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p, const Vec<T>& y, const Column<T>&) { return (p - y) * (p - y); }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y, const Column<T>&) { return (p - y) + (p - y); }
};

struct MeanAbsoluteError : LossBase {
    static constexpr const char *name = "mean_absolute_error", *value_text = "mean_j |p - y|", *gradient_text = "sign(p - y) / m / n";
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p, const Vec<T>& y, const Column<T>&) { return absolute(p - y); }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y, const Column<T>&) { return sign_of(p - y); }
};

struct BinaryCrossentropy : LossBase {
    static constexpr const char *name = "binary_crossentropy",
                                *value_text = "mean_j -(y log p + (1 - y) log(1 - p)), p clipped to [1e-7, 1 - 1e-7]",
                                *gradient_text = "-(y / p - (1 - y) / (1 - p)) / m / n, p clipped to [1e-7, 1 - 1e-7]";
    static constexpr Domain domain = Domain::unit_interval;
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p, const Vec<T>& y, const Column<T>&) {
        const Vec<T> one = broadcast(T(1)), clipped = clip_probability(p);
        return Vec<T>{} - fma(y, logarithm(clipped), (one - y) * logarithm(one - clipped));
    }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y, const Column<T>&) {
        const Vec<T> one = broadcast(T(1)), clipped = clip_probability(p);
        return (one - y) / (one - clipped) - y / clipped;
    }
};

// Targets become (1 - e) y + e / m with label smoothing e.
struct CategoricalCrossentropy : LossBase {
    static constexpr const char *name = "categorical_crossentropy",
                                *value_text = "-sum_j y log p, p clipped to [1e-7, 1 - 1e-7]; y_true int64 labels (n,) or targets (n, m)",
                                *gradient_text = "-y / p / n, p at least 1e-7";
    static constexpr Names parameters = names("label_smoothing");
    static constexpr bool is_mean = false, is_categorical = true;
    static constexpr Domain domain = Domain::unit_interval;
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p) { return Vec<T>{} - logarithm(clip_probability(p)); }
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p, const Vec<T>& y, const Column<T>&) { return y * value(p); }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y, const Column<T>&) {
        return Vec<T>{} - y / not_below_clip(p);
    }
};

struct SoftmaxCrossentropy : CategoricalCrossentropy {
    static constexpr const char *name = "softmax_crossentropy", *value_text = "softmax(inputs) and the categorical cross-entropy per sample",
                                *gradient_text = "(p sum_k y_k - y) / n with dvalues = p, the softmax output";
    using Joined = Softmax;
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p) { return CategoricalCrossentropy::value(p); }
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>&, const Vec<T>& p, const Vec<T>& y, const Column<T>& column) {
        return CategoricalCrossentropy::value(p, y, column);
    }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y, const Column<T>& column) {
        return fma(p, column.total, Vec<T>{} - y);
    }
};

// max(z, 0) - y z + log(1 + exp(-|z|)), which no clipping has to keep finite.
struct BinaryCrossentropyLogits : LossBase {
    static constexpr const char *name = "binary_crossentropy_logits", *value_text = "mean_j (max(z, 0) - y z + log(1 + exp(-|z|))), z the outputs",
                                *gradient_text = "(1 / (1 + exp(-z)) - y) / m / n";
    static constexpr Domain domain = Domain::unit_interval;
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& z, const Vec<T>& y, const Column<T>&) {
        // -y z + softplus(z), the side of z that does not cancel
        const auto negative = z < Vec<T>{};
        const Vec<T> product = select(negative, Vec<T>{} - y, broadcast(T(1)) - y) * z;
        return product + logarithm_of_1_plus(exponential(Vec<T>{} - absolute(z)));
    }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& z, const Vec<T>& y, const Column<T>&) { return sigmoid(z) - y; }
};

struct SigmoidCrossentropy : BinaryCrossentropyLogits {
    static constexpr const char *name = "sigmoid_crossentropy", *value_text = "sigmoid(inputs) and the binary cross-entropy of these logits per sample",
                                *gradient_text = "(p - y) / m / n with dvalues = p, the sigmoid's output";
    using Joined = Sigmoid;
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& z, const Vec<T>&, const Vec<T>& y, const Column<T>& column) {
        return BinaryCrossentropyLogits::value(z, y, column);
    }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y, const Column<T>&) { return p - y; }
};

struct Huber : LossBase {
    static constexpr const char *name = "huber", *value_text = "mean_j of d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2); d = p - y",
                                *gradient_text = "clip(d, -delta, delta) / m / n";
    static constexpr Names parameters = names("delta");
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p, const Vec<T>& y, const Column<T>& column) {
        const Vec<T> d = p - y, size = absolute(d), delta = broadcast(T(column.parameters[0]));
        const Vec<T> half = broadcast(T(0.5));
        return select(delta < size, delta * (size - half * delta), half * d * d);
    }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y, const Column<T>& column) {
        const Vec<T> delta = broadcast(T(column.parameters[0]));
        return larger(Vec<T>{} - delta, smaller(delta, p - y));
    }
};

struct LogCosh : LossBase {
    static constexpr const char *name = "log_cosh", *value_text = "mean_j log cosh(p - y)", *gradient_text = "tanh(p - y) / m / n";
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p, const Vec<T>& y, const Column<T>&) { return logarithm_of_cosh(p - y); }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y, const Column<T>&) { return hyperbolic_tangent(p - y); }
};

struct Poisson : LossBase {
    static constexpr const char *name = "poisson", *value_text = "mean_j (p - y log p), p at least 1e-7 in the logarithm",
                                *gradient_text = "(1 - y / p) / m / n, p at least 1e-7 in the quotient";
    static constexpr Domain domain = Domain::not_negative;
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p, const Vec<T>& y, const Column<T>&) {
        return p - y * logarithm(not_below_clip(p));
    }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y, const Column<T>&) {
        return broadcast(T(1)) - y / not_below_clip(p);
    }
};

struct ExponentialPoisson : Poisson {
    static constexpr const char *name = "exponential_poisson", *value_text = "exp(inputs) and the Poisson loss per sample",
                                *gradient_text = "(p - y) / m / n with dvalues = p, the exponential's output";
    using Joined = Exponential;
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>&, const Vec<T>& p, const Vec<T>& y, const Column<T>& column) {
        return Poisson::value(p, y, column);
    }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y, const Column<T>&) { return p - y; }
};

// Output j estimates quantile q_j of the one target.
struct Quantile : LossBase {
    static constexpr const char *name = "quantile", *value_text = "mean_j max(q d, (q - 1) d), d = y - p", *gradient_text = "(1[p >= y] - q) / m / n";
    static constexpr Names parameters = names("quantile");
    static constexpr bool parameter_per_output = true, one_target = true;
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p, const Vec<T>& y, const Column<T>& column) {
        const Vec<T> d = y - p, q = broadcast(T(column.parameters[column.index]));
        return select(d < Vec<T>{}, q - broadcast(T(1)), q) * d;
    }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y, const Column<T>& column) {
        const Vec<T> q = broadcast(T(column.parameters[column.index])), below = Vec<T>{} - q;
        return select(p < y, below, select(y <= p, broadcast(T(1)) - q, p - y));  // NaN passes
    }
};

// Labels 0 and 1 mean -1 and 1.
struct Hinge : LossBase {
    static constexpr const char *name = "hinge", *value_text = "mean_j max(0, 1 - y p), labels -1 and 1, or 0 and 1", *gradient_text = "-y / m / n where y p < 1";
    static constexpr Domain domain = Domain::signs;
    template <class T> static CHAINRULE_INLINE Vec<T> sign(const Vec<T>& y) { return select(Vec<T>{} < y, broadcast(T(1)), broadcast(T(-1))); }
    template <class T> static CHAINRULE_INLINE Vec<T> value(const Vec<T>& p, const Vec<T>& y, const Column<T>&) {
        return larger(Vec<T>{}, broadcast(T(1)) - sign(y) * p);
    }
    template <class T> static CHAINRULE_INLINE Vec<T> gradient(const Vec<T>& p, const Vec<T>& y, const Column<T>&) {
        const Vec<T> product = sign(y) * p;
        return select(product < broadcast(T(1)), Vec<T>{} - sign(y), select(product == product, Vec<T>{}, product));
    }
};

using Losses = List<HalfSquaredError, MeanSquaredError, MeanAbsoluteError, BinaryCrossentropy, CategoricalCrossentropy, SoftmaxCrossentropy,
                    BinaryCrossentropyLogits, SigmoidCrossentropy, Huber, LogCosh, Poisson, ExponentialPoisson, Quantile, Hinge>;

template <class Part> constexpr bool is_joint = !is_same<typename Part::Joined, NotJoint>;
template <class Joined> constexpr bool is_elementwise = !Joined::by_rows;
template <> constexpr bool is_elementwise<NotJoint> = false;
template <class Part> constexpr bool joins_elementwise = is_elementwise<typename Part::Joined>;
