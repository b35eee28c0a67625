// The catalogue's entries and tables of functions, made from the lists of parts.

template <class Part> constexpr ActivationEntry activation_entry() {
    return {Part::name,         Part::formula,    Part::derivative,      Part::parameters,         Part::by_rows,
            Part::needs_inputs, Part::needs_sign, Part::forward_in_tile, Part::derivative_in_tile, Part::cost};
}
template <class Part, class T> constexpr ActivationKernels<T> activation_kernels() {
    if constexpr (Part::by_rows) return {nullptr, nullptr, softmax_forward<T>, softmax_backward<T>};
    else return {activation_forward<Part, T>, activation_backward<Part, T>, nullptr, nullptr};
}

template <class Joined> constexpr int place_of_joined = place_of<Joined>(Activations{});
template <> constexpr int place_of_joined<NotJoint> = -1;

template <class Part> constexpr LossEntry loss_entry() {
    return {Part::name,           Part::value_text,     Part::gradient_text, Part::parameters, Part::parameter_per_output,
            Part::one_target, Part::is_categorical, Part::domain,        place_of_joined<typename Part::Joined>};
}
template <class Part> constexpr RuleEntry rule_entry() {
    static_assert(Part::states.count <= most_states);
    return {Part::name, Part::formula, Part::states, Part::parameters, Part::counts_steps, Part::prepare};
}
template <class Part> constexpr MetricEntry metric_entry() { return {Part::name, Part::formula}; }

// One table a list; a member is made only where it is asked for.
template <class Parts> struct Tables;
template <class... Parts> struct Tables<List<Parts...>> {
    static constexpr ActivationEntry activations[] = {activation_entry<Parts>()...};
    static constexpr LossEntry losses[] = {loss_entry<Parts>()...};
    static constexpr RuleEntry rules[] = {rule_entry<Parts>()...};
    static constexpr MetricEntry metrics[] = {metric_entry<Parts>()...};

    template <class T> static constexpr ActivationKernels<T> of_activations[] = {activation_kernels<Parts, T>()...};
    template <class T> static constexpr LossKernel<T> of_losses[] = {loss<Parts, T>...};
    template <class T> static constexpr RuleKernels<T> of_rules[] = {{update<Parts, T>, update_panels<Parts, T>}...};
};

constexpr Catalogue catalogue = {
    {Tables<Activations>::activations, Activations::count},
    {Tables<Losses>::losses, Losses::count},
    {Tables<Rules>::rules, Rules::count},
    {Tables<Metrics>::metrics, Metrics::count},
};
