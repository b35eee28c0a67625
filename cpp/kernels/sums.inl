// Sums of many values, in double: sum of x_i and of x_i^2
//
// 8 partial sums, one for each remainder of the index, added in halves: the same order everywhere.

template <class T, class Term> CHAINRULE_INLINE double sum_of_terms(Index n, const T* x, Term term) {
    constexpr Index width = 8;
    double partial[width] = {};
    Index i = 0;
    for (; i + width <= n; i += width)
        for (Index j = 0; j < width; ++j) partial[j] = partial[j] + term(static_cast<double>(x[i + j]));
    for (Index j = 0; i + j < n; ++j) partial[j] = partial[j] + term(static_cast<double>(x[i + j]));
    for (Index half = width / 2; half > 0; half /= 2)
        for (Index j = 0; j < half; ++j) partial[j] = partial[j] + partial[j + half];
    return partial[0];
}

template <class T> double sum(Index n, const T* x) noexcept {
    return sum_of_terms(n, x, [](double value) { return value; });
}
template <class T> double sum_of_squares(Index n, const T* x) noexcept {
    return sum_of_terms(n, x, [](double value) { return value * value; });
}
