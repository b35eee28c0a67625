// One step of each optimizer; g is the gradient, w the parameter.
//
//   sgd       w -= rate g
//   momentum  v = momentum v - rate g;  w += v
//   nesterov  the same v;  w += momentum v - rate g
//   adagrad   c += g^2;  w -= rate g / (sqrt(c) + epsilon)
//   rmsprop   c = rho c + (1 - rho) g^2;  the same step
//   adam      w -= decay w;  m = beta_1 m + (1 - beta_1) g;  c = beta_2 c + (1 - beta_2) g^2;
//             w -= rate (m / correction_1) / (sqrt(c / correction_2) + epsilon)
//
// Regularisation first: g += l1 sign(w) + 2 l2 w, sign(0) = +1.

template <class T> CHAINRULE_INLINE Vec<T> regularized(const Vec<T>& g, const Vec<T>& w, const Vec<T>& l1, const Vec<T>& twice_l2) {
    return fma(twice_l2, w, g + select(w < Vec<T>{}, Vec<T>{} - l1, l1));
}

template <class T> void regularize(Index n, T l1, T l2, const T* parameter, T* gradient) noexcept {
    const Vec<T> one = broadcast(l1), two = broadcast(l2 + l2);
    for_each_vector<T>(n, [=](Index i, auto width) {
        store(gradient + i, regularized(load(gradient + i, width), load(parameter + i, width), one, two), width);
    });
}

template <class T> struct State {
    Vec<T> w, momentum, cache;
};

// The constants of a rule as vectors, and its step.
template <Rule rule, class T> struct Optimizer {
    Vec<T> rate, momentum, epsilon, keep, add, beta_1, one_minus_beta_1, inverse_correction_2, decay, l1, twice_l2;
    bool regularization;
    static constexpr bool uses_momentums = rule == Rule::momentum || rule == Rule::nesterov || rule == Rule::adam;
    static constexpr bool uses_cache = rule == Rule::adagrad || rule == Rule::rmsprop || rule == Rule::adam;

    explicit Optimizer(const UpdateRule& u) : regularization(u.l1 != 0 || u.l2 != 0) {
        rate = broadcast(T(rule == Rule::adam ? u.rate / u.correction_1 : u.rate));
        momentum = broadcast(T(u.momentum));
        epsilon = broadcast(T(u.epsilon));
        keep = broadcast(T(rule == Rule::adam ? u.beta_2 : rule == Rule::rmsprop ? u.rho : 1.0));
        add = broadcast(T(rule == Rule::adam ? 1 - u.beta_2 : rule == Rule::rmsprop ? 1 - u.rho : 1.0));
        beta_1 = broadcast(T(u.beta_1));
        one_minus_beta_1 = broadcast(T(1 - u.beta_1));
        inverse_correction_2 = broadcast(T(rule == Rule::adam ? 1 / u.correction_2 : 1.0));
        decay = broadcast(T(u.decay));
        l1 = broadcast(T(u.l1));
        twice_l2 = broadcast(T(2 * u.l2));
    }

    CHAINRULE_INLINE void step(State<T>& s, Vec<T> g) const {
        const Vec<T> zero = {};
        if (regularization) g = regularized(g, s.w, l1, twice_l2);
        if constexpr (rule == Rule::sgd) {
            s.w = fma(zero - rate, g, s.w);
        } else if constexpr (rule == Rule::momentum) {
            s.momentum = fma(momentum, s.momentum, zero - rate * g);
            s.w = s.w + s.momentum;
        } else if constexpr (rule == Rule::nesterov) {
            s.momentum = fma(momentum, s.momentum, zero - rate * g);
            s.w = s.w + fma(momentum, s.momentum, zero - rate * g);
        } else if constexpr (rule == Rule::adam) {
            s.w = fma(zero - decay, s.w, s.w);
            s.momentum = fma(beta_1, s.momentum, one_minus_beta_1 * g);
            s.cache = fma(keep, s.cache, add * g * g);
            s.w = s.w - rate * s.momentum / (sqrt(s.cache * inverse_correction_2) + epsilon);
        } else {
            s.cache = fma(keep, s.cache, add * g * g);
            s.w = s.w - rate * g / (sqrt(s.cache) + epsilon);
        }
    }
};

template <Rule rule, class T, class Width>
CHAINRULE_INLINE Vec<T> update_vector(const Optimizer<rule, T>& optimizer, const Vec<T>& gradient, T* parameter, T* momentums, T* cache, Width width) {
    State<T> state = {load(parameter, width), {}, {}};
    if constexpr (Optimizer<rule, T>::uses_momentums) state.momentum = load(momentums, width);
    if constexpr (Optimizer<rule, T>::uses_cache) state.cache = load(cache, width);
    optimizer.step(state, gradient);
    store(parameter, state.w, width);
    if constexpr (Optimizer<rule, T>::uses_momentums) store(momentums, state.momentum, width);
    if constexpr (Optimizer<rule, T>::uses_cache) store(cache, state.cache, width);
    return state.w;
}

template <Rule rule, class T> void update_all(const UpdateJob<T>& job) {
    const Optimizer<rule, T> optimizer(job.rule);
    for_each_vector<T>(job.n, [&](Index i, auto width) {
        update_vector(optimizer, load(job.gradient + i, width), job.parameter + i, job.momentums + i, job.cache + i, width);
    });
}

template <Rule rule, class T> void update_panels_by(const PanelUpdateJob<T>& job) {
    const Optimizer<rule, T> optimizer(job.rule);
    for (Index v = 0; v < job.vectors; ++v) {
        const T* gradient = job.gradient + v * job.rows * lanes<T>;
        T* parameter = job.parameter + v * job.panel;
        T* momentums = job.momentums + (job.momentums ? v * job.panel : 0);
        T* cache = job.cache + (job.cache ? v * job.panel : 0);
        const Index left = job.transposed_rows - v * lanes<T>;
        if (!job.transposed || left <= 0) {
            for (Index i = 0; i < job.rows * lanes<T>; i += lanes<T>)
                update_vector(optimizer, load(gradient + i), parameter + i, momentums + i, cache + i, All{});
            continue;
        }
        T* transposed = job.transposed + v * lanes<T> * lanes<T>;
        for (Index first = 0; first < job.rows; first += lanes<T>, transposed += job.transposed_panel) {
            const Index rows = at_most(job.rows - first, lanes<T>), at = first * lanes<T>;
            Vec<T> x[lanes<T>];
            _Pragma("GCC unroll 16") for (int r = 0; r < lanes<T>; ++r)
                x[r] = r < rows ? update_vector(optimizer, load(gradient + at + r * lanes<T>), parameter + at + r * lanes<T>,
                                                momentums + at + r * lanes<T>, cache + at + r * lanes<T>, All{})
                                : Vec<T>{};
            transpose_square(x);
            store_square(x, transposed, lanes<T>, at_most(left, lanes<T>), lanes<T>);
        }
    }
}

template <Rule rule, int samples, class T> void update_skinny_samples(const SkinnyUpdateJob<T>& job) {
    const Optimizer<rule, T> optimizer(job.rule);
    for (Index v = 0; v < job.vectors; ++v) {
        Vec<T> dvalues[samples];
        _Pragma("GCC unroll 4") for (int s = 0; s < samples; ++s) dvalues[s] = load(job.dvalues.data + s * job.dvalues.row + v * job.dvalues.vec);
        for (Index first = 0; first < job.rows; first += lanes<T>) {
            const T* const inputs = job.inputs.data + first / lanes<T> * job.inputs.vec;
            const Index count = at_most(job.rows - first, lanes<T>), place = v * job.panel + first * lanes<T>;
            for (Index r = 0; r < count; ++r) {
                Vec<T> gradient = {};
                _Pragma("GCC unroll 4") for (int s = 0; s < samples; ++s) gradient = fma(broadcast(inputs[s * job.inputs.row + r]), dvalues[s], gradient);
                const Index here = place + r * lanes<T>;
                update_vector(optimizer, gradient, job.parameter + here, job.momentums + here, job.cache + here, All{});
            }
        }
    }
}

template <Rule rule, class T> void update_skinny_by(const SkinnyUpdateJob<T>& job) {
    static_assert(few_samples == 4);
    switch (job.samples) {
        case 1: return update_skinny_samples<rule, 1>(job);
        case 2: return update_skinny_samples<rule, 2>(job);
        case 3: return update_skinny_samples<rule, 3>(job);
        case 4: return update_skinny_samples<rule, 4>(job);
    }
}

// Calls body<rule>(job) for the job's rule.
#define CHAINRULE_BY_RULE(body, job)                                  \
    switch (job.rule.rule) {                                          \
        case Rule::sgd: return body<Rule::sgd>(job);                  \
        case Rule::momentum: return body<Rule::momentum>(job);        \
        case Rule::nesterov: return body<Rule::nesterov>(job);        \
        case Rule::adagrad: return body<Rule::adagrad>(job);          \
        case Rule::rmsprop: return body<Rule::rmsprop>(job);          \
        case Rule::adam: return body<Rule::adam>(job);                \
    }

template <class T> void update(const UpdateJob<T>& job) noexcept { CHAINRULE_BY_RULE(update_all, job) }
template <class T> void update_panels(const PanelUpdateJob<T>& job) noexcept { CHAINRULE_BY_RULE(update_panels_by, job) }
template <class T> void update_skinny(const SkinnyUpdateJob<T>& job) noexcept { CHAINRULE_BY_RULE(update_skinny_by, job) }

#undef CHAINRULE_BY_RULE
