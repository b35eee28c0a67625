// Activations, element by element: the list, and each formula once.
//
// A part says its name, its formulas as text, its parameters, what its derivative is written in (the output, so that a
// training plan keeps outputs only, or the inputs), whether both ways are cheap enough to stand in a product's epilogue, and
// how many vector operations it takes (those of linear, relu and tanh measured on `xs` and `spiral`, the others counted).
// Softmax works on rows: softmax.inl.

constexpr Names no_parameters = names();

// What most have in common; each may say otherwise.
struct Elementwise {
    static constexpr Names parameters = no_parameters;
    static constexpr bool by_rows = false, needs_inputs = false, needs_sign = false, forward_in_tile = false, derivative_in_tile = false;
};

struct Linear : Elementwise {
    static constexpr const char *name = "linear", *formula = "inputs", *derivative = "dvalues";
    static constexpr Index cost = 0;
    template <class T> static CHAINRULE_INLINE Vec<T> forward(const Vec<T>& x, const double*) { return x; }
    template <class T> static CHAINRULE_INLINE Vec<T> backward(const Vec<T>& dvalues, const Vec<T>&, const double*) { return dvalues; }
};

struct Relu : Elementwise {
    static constexpr const char *name = "relu", *formula = "max(inputs, 0); NaN passes", *derivative = "dvalues where output > 0, else 0";
    static constexpr bool needs_sign = true, forward_in_tile = true, derivative_in_tile = true;
    static constexpr Index cost = 3;
    template <class T> static CHAINRULE_INLINE Vec<T> forward(const Vec<T>& x, const double*) { return larger(Vec<T>{}, x); }
    template <class T> static CHAINRULE_INLINE Vec<T> backward(const Vec<T>& dvalues, const Vec<T>& output, const double*) {
        return unless_at_most_0(output, dvalues);
    }
};

struct Sigmoid : Elementwise {
    static constexpr const char *name = "sigmoid", *formula = "1 / (1 + exp(-inputs))", *derivative = "dvalues * output * (1 - output)";
    static constexpr bool derivative_in_tile = true;
    static constexpr Index cost = 24;
    template <class T> static CHAINRULE_INLINE Vec<T> forward(const Vec<T>& x, const double*) { return sigmoid(x); }
    template <class T> static CHAINRULE_INLINE Vec<T> backward(const Vec<T>& dvalues, const Vec<T>& output, const double*) {
        return dvalues * (output * (broadcast(T(1)) - output));
    }
};

struct Tanh : Elementwise {
    static constexpr const char *name = "tanh", *formula = "tanh(inputs)", *derivative = "dvalues * (1 - output^2)";
    static constexpr bool derivative_in_tile = true;
    static constexpr Index cost = 24;
    template <class T> static CHAINRULE_INLINE Vec<T> forward(const Vec<T>& x, const double*) { return hyperbolic_tangent(x); }
    template <class T> static CHAINRULE_INLINE Vec<T> backward(const Vec<T>& dvalues, const Vec<T>& output, const double*) {
        return dvalues * fma(Vec<T>{} - output, output, broadcast(T(1)));
    }
};

struct Softmax {
    static constexpr const char *name = "softmax", *formula = "exp(x - max) / sum exp(x - max) of each row",
                                *derivative = "output * (dvalues - sum(dvalues * output)) of each row";
    static constexpr Names parameters = no_parameters;
    static constexpr bool by_rows = true, needs_inputs = false, needs_sign = false, forward_in_tile = false, derivative_in_tile = false;
    static constexpr Index cost = 24;
};

struct LeakyRelu : Elementwise {
    static constexpr const char *name = "leaky_relu", *formula = "inputs where inputs > 0, else negative_slope * inputs",
                                *derivative = "dvalues where output > 0, else negative_slope * dvalues";
    static constexpr Names parameters = names("negative_slope");
    static constexpr Index cost = 4;
    template <class T> static CHAINRULE_INLINE Vec<T> forward(const Vec<T>& x, const double* parameters) {
        return select(x <= Vec<T>{}, broadcast(T(parameters[0])) * x, x);
    }
    template <class T> static CHAINRULE_INLINE Vec<T> backward(const Vec<T>& dvalues, const Vec<T>& output, const double* parameters) {
        return select(output <= Vec<T>{}, broadcast(T(parameters[0])) * dvalues, dvalues);
    }
};

// scale * (x where x > 0, else alpha (exp(x) - 1)), and its derivative from the output: below 0 it is output + scale * alpha.
template <class T> CHAINRULE_INLINE Vec<T> exponential_linear(const Vec<T>& x, double scale, double alpha) {
    const Vec<T> below = broadcast(T(scale * alpha)) * exponential_minus_1(smaller(Vec<T>{}, x));
    return select(Vec<T>{} < x, broadcast(T(scale)) * x, below);
}
template <class T>
CHAINRULE_INLINE Vec<T> exponential_linear_derivative(const Vec<T>& dvalues, const Vec<T>& output, double scale, double alpha) {
    return dvalues * select(Vec<T>{} < output, broadcast(T(scale)), output + broadcast(T(scale * alpha)));
}

struct Elu : Elementwise {
    static constexpr const char *name = "elu", *formula = "inputs where inputs > 0, else alpha * (exp(inputs) - 1)",
                                *derivative = "dvalues where output > 0, else dvalues * (output + alpha)";
    static constexpr Names parameters = names("alpha");
    static constexpr Index cost = 24;
    template <class T> static CHAINRULE_INLINE Vec<T> forward(const Vec<T>& x, const double* parameters) {
        return exponential_linear(x, 1, parameters[0]);
    }
    template <class T> static CHAINRULE_INLINE Vec<T> backward(const Vec<T>& dvalues, const Vec<T>& output, const double* parameters) {
        return exponential_linear_derivative(dvalues, output, 1, parameters[0]);
    }
};

// The constants for which mean 0 and variance 1 are a fixed point (Klambauer et al., 2017).
struct Selu : Elementwise {
    static constexpr const char *name = "selu", *formula = "1.0507 * (inputs where inputs > 0, else 1.67326 * (exp(inputs) - 1))",
                                *derivative = "1.0507 * dvalues where output > 0, else dvalues * (output + 1.0507 * 1.67326)";
    static constexpr Index cost = 24;
    static constexpr double scale = 1.0507009873554804934193349852946, alpha = 1.6732632423543772848170429916717;
    template <class T> static CHAINRULE_INLINE Vec<T> forward(const Vec<T>& x, const double*) { return exponential_linear(x, scale, alpha); }
    template <class T> static CHAINRULE_INLINE Vec<T> backward(const Vec<T>& dvalues, const Vec<T>& output, const double*) {
        return exponential_linear_derivative(dvalues, output, scale, alpha);
    }
};

// Beyond these bounds what is multiplied with x below is 0 or 1: infinities need not be multiplied with 0. NaN passes.
template <class T> CHAINRULE_INLINE Vec<T> not_far_below(const Vec<T>& x) { return larger(broadcast(T(-1000)), x); }
template <class T> CHAINRULE_INLINE Vec<T> not_far_out(const Vec<T>& x) { return smaller(broadcast(T(1000)), not_far_below(x)); }

// x * Phi(x); by the complementary error function, since 1 + erf would cancel far below 0.
struct Gelu : Elementwise {
    static constexpr const char *name = "gelu", *formula = "inputs * Phi(inputs), Phi of the standard normal distribution",
                                *derivative = "dvalues * (Phi(inputs) + inputs * phi(inputs))";
    static constexpr bool needs_inputs = true;
    static constexpr Index cost = 60;
    template <class T> static CHAINRULE_INLINE Vec<T> forward(const Vec<T>& x, const double*) { return not_far_below(x) * normal_distribution(x); }
    template <class T> static CHAINRULE_INLINE Vec<T> backward(const Vec<T>& dvalues, const Vec<T>& x, const double*) {
        const Normal<T> at = normal(x);
        return dvalues * fma(not_far_out(x), at.density, at.distribution);
    }
};

// 1/2 (1 + tanh(u)) = sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3): no cancellation.
struct GeluTanh : Elementwise {
    static constexpr const char *name = "gelu_tanh", *formula = "inputs / 2 * (1 + tanh(u)), u = sqrt(2 / pi) * (inputs + 0.044715 * inputs^3)",
                                *derivative = "dvalues * (s + inputs * s * (1 - s) * 2 * du), s = (1 + tanh(u)) / 2";
    static constexpr bool needs_inputs = true;
    static constexpr Index cost = 52;
    static constexpr double twice_root = 1.5957691216057307117597842397375, cubic = 0.044715;
    template <class T> static CHAINRULE_INLINE Vec<T> share(const Vec<T>& x) {
        return sigmoid(broadcast(T(twice_root)) * fma(broadcast(T(cubic)) * x, x * x, x));
    }
    template <class T> static CHAINRULE_INLINE Vec<T> forward(const Vec<T>& x, const double*) { return not_far_below(x) * share(x); }
    template <class T> static CHAINRULE_INLINE Vec<T> backward(const Vec<T>& dvalues, const Vec<T>& x, const double*) {
        const Vec<T> s = share(x), rest = share(Vec<T>{} - x);  // 1 - s would cancel where s is near 1
        // beyond +-20 s is 0 or 1 to the last bit, and x^2 could overflow
        const Vec<T> near = larger(broadcast(T(-20)), smaller(broadcast(T(20)), x));
        const Vec<T> slope = broadcast(T(twice_root)) * fma(broadcast(T(3 * cubic)) * near, near, broadcast(T(1)));
        return dvalues * fma(near * slope, s * rest, s);
    }
};

struct Silu : Elementwise {
    static constexpr const char *name = "silu", *formula = "inputs * s, s = 1 / (1 + exp(-inputs))", *derivative = "dvalues * s * (1 + inputs * (1 - s))";
    static constexpr bool needs_inputs = true;
    static constexpr Index cost = 28;
    template <class T> static CHAINRULE_INLINE Vec<T> forward(const Vec<T>& x, const double*) { return not_far_below(x) * sigmoid(x); }
    template <class T> static CHAINRULE_INLINE Vec<T> backward(const Vec<T>& dvalues, const Vec<T>& x, const double*) {
        const Vec<T> one = broadcast(T(1)), s = sigmoid(x);
        return dvalues * (s * fma(not_far_out(x), sigmoid(Vec<T>{} - x), one));
    }
};

struct Mish : Elementwise {
    static constexpr const char *name = "mish", *formula = "inputs * t, t = tanh(log(1 + exp(inputs)))",
                                *derivative = "dvalues * (t + inputs * (1 - t^2) / (1 + exp(-inputs)))";
    static constexpr bool needs_inputs = true;
    static constexpr Index cost = 40;
    template <class T> static CHAINRULE_INLINE Vec<T> forward(const Vec<T>& x, const double*) { return not_far_below(x) * hyperbolic_tangent_of_softplus(x).value; }
    template <class T> static CHAINRULE_INLINE Vec<T> backward(const Vec<T>& dvalues, const Vec<T>& x, const double*) {
        const TanhOfSoftplus<T> tangent = hyperbolic_tangent_of_softplus(x);
        return dvalues * fma(not_far_out(x), tangent.slope, tangent.value);
    }
};

struct Softplus : Elementwise {
    static constexpr const char *name = "softplus", *formula = "log(1 + exp(inputs))", *derivative = "dvalues / (1 + exp(-inputs))";
    static constexpr bool needs_inputs = true;
    static constexpr Index cost = 44;
    template <class T> static CHAINRULE_INLINE Vec<T> forward(const Vec<T>& x, const double*) { return softplus(x); }
    template <class T> static CHAINRULE_INLINE Vec<T> backward(const Vec<T>& dvalues, const Vec<T>& x, const double*) { return dvalues * sigmoid(x); }
};

struct Exponential : Elementwise {
    static constexpr const char *name = "exponential", *formula = "exp(inputs)", *derivative = "dvalues * output";
    static constexpr Index cost = 24;
    template <class T> static CHAINRULE_INLINE Vec<T> forward(const Vec<T>& x, const double*) { return exponential_any(x); }
    template <class T> static CHAINRULE_INLINE Vec<T> backward(const Vec<T>& dvalues, const Vec<T>& output, const double*) { return dvalues * output; }
};

using Activations = List<Linear, Relu, Sigmoid, Tanh, Softmax, LeakyRelu, Elu, Selu, Gelu, GeluTanh, Silu, Mish, Softplus, Exponential>;
static_assert(place_of<Linear>(Activations{}) == static_cast<int>(Activation::identity));

// --- whole arrays -------------------------------------------------------------------------------------------------------

template <class Function, class T> void activation_forward(Index n, const double* parameters, const T* inputs, T* output) noexcept {
    for_each_vector<T>(n, [=](Index i, auto width) { store(output + i, Function::forward(load(inputs + i, width), parameters), width); });
}
template <class Function, class T>
void activation_backward(Index n, const double* parameters, const T* dvalues, const T* saved, T* dinputs) noexcept {
    for_each_vector<T>(n, [=](Index i, auto width) {
        store(dinputs + i, Function::backward(load(dvalues + i, width), load(saved + i, width), parameters), width);
    });
}

// --- tiles of a product: the cheap ones, applied to sums in registers -----------------------------------------------------

template <class Function, int R, int V, class T> CHAINRULE_INLINE void through_activation(Vec<T> (&sum)[R][V], const double* parameters) {
    _Pragma("GCC unroll 16") for (int r = 0; r < R; ++r)
        _Pragma("GCC unroll 8") for (int v = 0; v < V; ++v) sum[r][v] = Function::forward(sum[r][v], parameters);
}
template <class Function, bool with_parameters, int place, int R, int V, class T>
CHAINRULE_INLINE void through_activation_if(Activation which, Vec<T> (&sum)[R][V], const double* parameters) {
    if constexpr (Function::forward_in_tile && (with_parameters || Function::parameters.count == 0))
        if (static_cast<int>(which) == place) through_activation<Function>(sum, parameters);
}
template <bool with_parameters, int R, int V, class T, class... Parts, int... place>
CHAINRULE_INLINE void through_activation(Activation which, Vec<T> (&sum)[R][V], const double* parameters, List<Parts...>, Indices<place...>) {
    (through_activation_if<Parts, with_parameters, place>(which, sum, parameters), ...);
}

// One row on, by an addition the compiler cannot see through: else it would compute the addresses of all rows of a tile
// first, more than there are registers.
template <class T> CHAINRULE_INLINE void next_row(T*& place, Index row) {
    place += row;
    asm("" : "+r"(place));
}

template <class Function, int R, int V, class T>
CHAINRULE_INLINE void through_derivative(Vec<T> (&sum)[R][V], const T* saved, Index row, Index vec, const double* parameters, T factor) {
    _Pragma("GCC unroll 14") for (int r = 0; r < R; ++r) {
        _Pragma("GCC unroll 8") for (int v = 0; v < V; ++v) {
            if constexpr (Function::needs_sign) sum[r][v] = sum[r][v] * broadcast(factor);
            sum[r][v] = Function::backward(sum[r][v], load(saved + v * vec), parameters);
        }
        next_row(saved, row);
    }
}
template <class Function, int place, int R, int V, class T>
CHAINRULE_INLINE void through_derivative_if(Activation which, Vec<T> (&sum)[R][V], const T* saved, Index row, Index vec, const double* parameters, T factor) {
    if constexpr (Function::derivative_in_tile)
        if (static_cast<int>(which) == place) through_derivative<Function>(sum, saved, row, vec, parameters, factor);
}
template <int R, int V, class T, class... Parts, int... place>
CHAINRULE_INLINE void through_derivative(Activation which, Vec<T> (&sum)[R][V], const T* saved, Index row, Index vec, const double* parameters, T factor, List<Parts...>,
                                         Indices<place...>) {
    (through_derivative_if<Parts, place>(which, sum, saved, row, vec, parameters, factor), ...);
}
