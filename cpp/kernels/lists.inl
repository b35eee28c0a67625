// Lists of parts: a part is a class whose static members say what the catalogue asks for (a missing one does not compile);
// its number is its place in the list. Whatever has to be done "for the part of this number" is made from the list here.

template <class... Parts> struct List {
    static constexpr int count = sizeof...(Parts);
};

template <class A, class B> constexpr bool is_same = false;
template <class A> constexpr bool is_same<A, A> = true;

// The place of a part in a list.
template <class Part, class... Parts> constexpr int place_of(List<Parts...>) {
    const bool found[] = {is_same<Part, Parts>...};
    int place = 0;
    while (!found[place]) ++place;
    return place;
}

template <class... Text> constexpr Names names(Text... text) {
    static_assert(sizeof...(Text) <= most_names);
    return {{text...}, sizeof...(Text)};
}
