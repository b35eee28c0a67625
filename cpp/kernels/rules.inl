// Rules: the list, one step of each; g is the gradient, w the parameter.
//
// A part says its name and formula, the arrays that it keeps beside the parameter, its parameters, and `prepare`: the
// constants of a step, computed once in double from the rate, its parameters and, if it says so, the number t of the
// parameter's steps. A
// denominator of 0 is no step: with epsilon = 0 a gradient that was always 0 (padding, too) leaves the parameter alone.
//
// Before it, for all of them: g += l1 sign(w) + 2 l2 w, sign(0) = +1, and then w -= decay w.

template <class T> CHAINRULE_INLINE Vec<T> regularized(const Vec<T>& g, const Vec<T>& w, const Vec<T>& l1, const Vec<T>& twice_l2) {
    return fma(twice_l2, w, g + select(w < Vec<T>{}, Vec<T>{} - l1, l1));
}

template <class T> void regularize(Index n, T l1, T l2, const T* parameter, T* gradient) noexcept {
    const Vec<T> one = broadcast(l1), two = broadcast(l2 + l2);
    for_each_vector<T>(n, [=](Index i, auto width) {
        store(gradient + i, regularized(load(gradient + i, width), load(parameter + i, width), one, two), width);
    });
}

// A vector of the parameter and of each array beside it.
template <class T> struct State {
    Vec<T> w, array[most_states];
};

template <class T> CHAINRULE_INLINE Vec<T> no_step_over_zero(const Vec<T>& numerator, const Vec<T>& denominator) {
    return select(denominator == Vec<T>{}, Vec<T>{}, numerator / denominator);
}

struct Sgd {
    static constexpr const char *name = "sgd", *formula = "w -= rate * g";
    static constexpr Names states = names(), parameters = names();
    static constexpr bool counts_steps = false;
    static void prepare(const double*, double rate, double, double* constants) noexcept { constants[0] = rate; }
    template <class T> static CHAINRULE_INLINE void step(const Vec<T>* k, State<T>& s, const Vec<T>& g) { s.w = fma(Vec<T>{} - k[0], g, s.w); }
};

struct Momentum {
    static constexpr const char *name = "momentum", *formula = "v = momentum * v - rate * g; w += v";
    static constexpr Names states = names("momentums"), parameters = names("momentum");
    static constexpr bool counts_steps = false;
    static void prepare(const double* parameters, double rate, double, double* constants) noexcept {
        constants[0] = rate;
        constants[1] = parameters[0];
    }
    template <class T> static CHAINRULE_INLINE void step(const Vec<T>* k, State<T>& s, const Vec<T>& g) {
        s.array[0] = fma(k[1], s.array[0], Vec<T>{} - k[0] * g);
        s.w = s.w + s.array[0];
    }
};

struct Nesterov : Momentum {
    static constexpr const char *name = "nesterov", *formula = "v = momentum * v - rate * g; w += momentum * v - rate * g";
    template <class T> static CHAINRULE_INLINE void step(const Vec<T>* k, State<T>& s, const Vec<T>& g) {
        s.array[0] = fma(k[1], s.array[0], Vec<T>{} - k[0] * g);
        s.w = s.w + fma(k[1], s.array[0], Vec<T>{} - k[0] * g);
    }
};

struct Adagrad {
    static constexpr const char *name = "adagrad", *formula = "c += g^2; w -= rate * g / (sqrt(c) + epsilon)";
    static constexpr Names states = names("cache"), parameters = names("epsilon");
    static constexpr bool counts_steps = false;
    static void prepare(const double* parameters, double rate, double, double* constants) noexcept {
        constants[0] = rate;
        constants[1] = parameters[0];
        constants[2] = constants[3] = 1;  // of the cache kept, and of g^2 added
    }
    template <class T> static CHAINRULE_INLINE void step(const Vec<T>* k, State<T>& s, const Vec<T>& g) {
        s.array[0] = fma(k[2], s.array[0], k[3] * g * g);
        s.w = s.w - no_step_over_zero(k[0] * g, sqrt(s.array[0]) + k[1]);
    }
};

struct RmsProp : Adagrad {
    static constexpr const char *name = "rmsprop", *formula = "c = rho * c + (1 - rho) * g^2; w -= rate * g / (sqrt(c) + epsilon)";
    static constexpr Names parameters = names("epsilon", "rho");
    static void prepare(const double* parameters, double rate, double, double* constants) noexcept {
        constants[0] = rate;
        constants[1] = parameters[0];
        constants[2] = parameters[1];
        constants[3] = 1 - parameters[1];
    }
};

// m and c with their bias corrections; epsilon_hat: epsilon is added before the correction of c, not after it.
struct Adam {
    static constexpr const char *name = "adam", *formula = "m = beta_1 m + (1 - beta_1) g; c = beta_2 c + (1 - beta_2) g^2; "
                                                           "w -= rate * m / (1 - beta_1^t) / (sqrt(c / (1 - beta_2^t)) + epsilon)";
    static constexpr Names states = names("momentums", "cache"), parameters = names("epsilon", "beta_1", "beta_2", "epsilon_hat");
    static constexpr bool counts_steps = true;
    static void prepare(const double* parameters, double rate, double step, double* constants) noexcept {
        const double beta_1 = parameters[1], beta_2 = parameters[2], correction = 1 - __builtin_pow(beta_2, step);
        constants[0] = rate / (1 - __builtin_pow(beta_1, step));
        constants[1] = parameters[3] != 0 ? parameters[0] / __builtin_sqrt(correction) : parameters[0];
        constants[2] = beta_1;
        constants[3] = 1 - beta_1;
        constants[4] = beta_2;
        constants[5] = 1 - beta_2;
        constants[6] = 1 / correction;
    }
    template <class T> static CHAINRULE_INLINE void means(const Vec<T>* k, State<T>& s, const Vec<T>& g) {
        s.array[0] = fma(k[2], s.array[0], k[3] * g);
        s.array[1] = fma(k[4], s.array[1], k[5] * g * g);
    }
    template <class T> static CHAINRULE_INLINE void step(const Vec<T>* k, State<T>& s, const Vec<T>& g) {
        means(k, s, g);
        s.w = s.w - no_step_over_zero(k[0] * s.array[0], sqrt(s.array[1] * k[6]) + k[1]);
    }
};

// The largest c so far takes c's place (Reddi, Kale and Kumar, 2018).
struct AmsGrad : Adam {
    static constexpr const char *name = "amsgrad", *formula = "adam with the largest c so far in the place of c";
    static constexpr Names states = names("momentums", "cache", "cache_max");
    template <class T> static CHAINRULE_INLINE void step(const Vec<T>* k, State<T>& s, const Vec<T>& g) {
        means(k, s, g);
        s.array[2] = select(s.array[1] <= s.array[2], s.array[2], s.array[1]);
        s.w = s.w - no_step_over_zero(k[0] * s.array[0], sqrt(s.array[2] * k[6]) + k[1]);
    }
};

using Rules = List<Sgd, Momentum, Nesterov, Adagrad, RmsProp, Adam, AmsGrad>;

// --- updates ----------------------------------------------------------------------------------------------------------

// The constants of a rule as vectors, and its step.
template <class Part, class T> struct Optimizer {
    Vec<T> constants[most_constants], decay, l1, twice_l2;
    bool regularization, decays;

    explicit Optimizer(const UpdateRule& u)
        : decay(broadcast(T(u.decay))), l1(broadcast(T(u.l1))), twice_l2(broadcast(T(2 * u.l2))), regularization(u.l1 != 0 || u.l2 != 0),
          decays(u.decay != 0) {
        for (int i = 0; i < most_constants; ++i) constants[i] = broadcast(T(u.constants[i]));
    }

    CHAINRULE_INLINE void step(State<T>& s, Vec<T> g) const {
        if (regularization) g = regularized(g, s.w, l1, twice_l2);
        if (decays) s.w = fma(Vec<T>{} - decay, s.w, s.w);
        Part::step(constants, s, g);
    }
};

// One vector of the parameter, at `offset` of it and of its states.
template <class Part, class T, class Width>
CHAINRULE_INLINE void update_vector(const Optimizer<Part, T>& optimizer, const Vec<T>& gradient, T* parameter, T* const* states, Index offset, Width width) {
    State<T> s;
    s.w = load(parameter + offset, width);
    _Pragma("GCC unroll 3") for (int i = 0; i < Part::states.count; ++i) s.array[i] = load(states[i] + offset, width);
    optimizer.step(s, gradient);
    store(parameter + offset, s.w, width);
    _Pragma("GCC unroll 3") for (int i = 0; i < Part::states.count; ++i) store(states[i] + offset, s.array[i], width);
}

// A step from zeros is zero, so that lanes without a neuron stay 0; only L1 moves them, and is taken back.
template <class T> void clear_padding(T* parameter, T* const* states, int count, Index rows, Index neurons) {
    const auto clear = [=](T* panel) {
        for (Index r = 0; r < rows; ++r) {
            T* const place = panel + r * lanes<T>;
            store(place, select(lane_numbers<T>() < broadcast(T(neurons)), load(place), Vec<T>{}));
        }
    };
    clear(parameter);
    for (int i = 0; i < count; ++i) clear(states[i]);
}
template <class Part, class T> void keep_padding_neutral(const PanelUpdateJob<T>& job) {
    const Index last = job.vectors - 1, neurons = job.columns - last * lanes<T>;
    if (job.rule.l1 == 0 || neurons >= lanes<T>) return;
    T* states[most_states] = {};
    for (int i = 0; i < Part::states.count; ++i) states[i] = job.states[i] + last * job.panel;
    clear_padding(job.parameter + last * job.panel, states, Part::states.count, job.rows, neurons);
}

template <class Part, class T> void update(const UpdateJob<T>& job) noexcept {
    const Optimizer<Part, T> optimizer(job.rule);
    for_each_vector<T>(job.n, [&](Index i, auto width) { update_vector(optimizer, load(job.gradient + i, width), job.parameter, job.states, i, width); });
}

// Rows of a panel, (rows, lanes), into the transposed copy beside it: `neurons` rows of `lanes` inputs.
template <class T> void transpose_rows(const T* panel, Index rows, Index neurons, T* transposed) {
    Vec<T> x[lanes<T>];
    load_square(x, panel, lanes<T>, rows, lanes<T>);
    transpose_square(x);
    store_square(x, transposed, lanes<T>, at_most(neurons, lanes<T>), lanes<T>);
}

template <class Part, class T> void update_panels(const PanelUpdateJob<T>& job) noexcept {
    const Optimizer<Part, T> optimizer(job.rule);
    for (Index v = 0; v < job.vectors; ++v) {
        const T* gradient = job.gradient + v * job.rows * lanes<T>;
        const Index neurons = job.columns - v * lanes<T>;
        for (Index first = 0; first < job.rows; first += lanes<T>) {
            const Index rows = at_most(job.rows - first, lanes<T>), place = v * job.panel + first * lanes<T>;
            for (Index i = 0; i < rows * lanes<T>; i += lanes<T>, gradient += lanes<T>)
                update_vector(optimizer, load(gradient), job.parameter, job.states, place + i, All{});
            if (job.transposed && neurons > 0)
                transpose_rows(job.parameter + place, rows, neurons, job.transposed + first / lanes<T> * job.transposed_panel + v * lanes<T> * lanes<T>);
        }
    }
    keep_padding_neutral<Part>(job);
}
