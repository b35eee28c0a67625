// Activations, element by element. Each formula stands here once; the derivative is written in the output, so that
// a training plan keeps outputs only.
//
// relu:    max(x, 0), NaN passes; gradient 0 where output <= 0
// sigmoid: 1 / (1 + exp(-x)); derivative output * (1 - output)
// tanh:    derivative 1 - output^2

struct Relu {
    template <class T> static CHAINRULE_INLINE Vec<T> forward(const Vec<T>& x) { return larger(Vec<T>{}, x); }
    template <class T> static CHAINRULE_INLINE Vec<T> backward(const Vec<T>& dvalues, const Vec<T>& output) {
        return select(output <= Vec<T>{}, Vec<T>{}, dvalues);
    }
};

struct Sigmoid {
    template <class T> static CHAINRULE_INLINE Vec<T> forward(const Vec<T>& x) { return sigmoid(x); }
    template <class T> static CHAINRULE_INLINE Vec<T> backward(const Vec<T>& dvalues, const Vec<T>& output) {
        return dvalues * (output * (broadcast(T(1)) - output));
    }
};

struct Tanh {
    template <class T> static CHAINRULE_INLINE Vec<T> forward(const Vec<T>& x) { return hyperbolic_tangent(x); }
    template <class T> static CHAINRULE_INLINE Vec<T> backward(const Vec<T>& dvalues, const Vec<T>& output) {
        return dvalues * fma(Vec<T>{} - output, output, broadcast(T(1)));
    }
};

// Calls step(offset, width) for each vector of n elements.
template <class T, class Step> CHAINRULE_INLINE void for_each_vector(Index n, Step step) {
    Index i = 0;
    for (; i + lanes<T> <= n; i += lanes<T>) step(i, All{});
    if (i < n) step(i, Tail{n - i});
}

template <class Function, class T> void forward_all(Index n, const T* inputs, T* output) {
    for_each_vector<T>(n, [=](Index i, auto width) { store(output + i, Function::forward(load(inputs + i, width)), width); });
}
template <class Function, class T> void backward_all(Index n, const T* dvalues, const T* output, T* dinputs) {
    for_each_vector<T>(n, [=](Index i, auto width) {
        store(dinputs + i, Function::backward(load(dvalues + i, width), load(output + i, width)), width);
    });
}

template <class T> void copy_all(Index n, const T* source, T* target) {
    for_each_vector<T>(n, [=](Index i, auto width) { store(target + i, load(source + i, width), width); });
}

template <class T> void activation_forward(Activation kind, Index n, const T* inputs, T* output) noexcept {
    switch (kind) {
        case Activation::relu: return forward_all<Relu>(n, inputs, output);
        case Activation::sigmoid: return forward_all<Sigmoid>(n, inputs, output);
        case Activation::tanh: return forward_all<Tanh>(n, inputs, output);
        case Activation::linear:
        case Activation::softmax: break;
    }
    if (inputs != output) copy_all(n, inputs, output);
}

template <class T>
void activation_backward(Activation kind, Index n, const T* dvalues, const T* output, T* dinputs) noexcept {
    switch (kind) {
        case Activation::relu: return backward_all<Relu>(n, dvalues, output, dinputs);
        case Activation::sigmoid: return backward_all<Sigmoid>(n, dvalues, output, dinputs);
        case Activation::tanh: return backward_all<Tanh>(n, dvalues, output, dinputs);
        case Activation::linear:
        case Activation::softmax: break;
    }
    if (dvalues != dinputs) copy_all(n, dvalues, dinputs);
}

template <class T> void multiply(Index n, const T* a, const T* b, T* output) noexcept {
    for_each_vector<T>(n, [=](Index i, auto width) { store(output + i, load(a + i, width) * load(b + i, width), width); });
}

template <class T> void logarithm_all(Index n, const T* inputs, T* output) noexcept {
    for_each_vector<T>(n, [=](Index i, auto width) { store(output + i, logarithm(load(inputs + i, width)), width); });
}
