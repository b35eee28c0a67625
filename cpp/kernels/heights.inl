// How many rows the next tile takes. Each height is a function of its own; tiles come in some heights only, since the others
// would fill a fifth of the wheel and save less than a hundredth of a product's time.
//
// Of `left` rows the next tile takes what the cheapest cut of them into tiles begins with. A tile costs its rows, at least as
// many as hide the time that a multiply-add takes, and one row more for its beginning and end.

constexpr int lower_heights[] = {1, 2, 3, 4, 5, 8, 10};

// Tiles of up to `tallest` rows: the lower heights below it, and itself.
template <int tallest> struct TileHeights {
    static constexpr int count() {
        int below = 0;
        for (const int height : lower_heights) below += height < tallest;
        return below + 1;
    }
    static constexpr int height(int place) { return place + 1 < count() ? lower_heights[place] : tallest; }

    // place[left] of the next tile's height, for so few rows that the last tiles count; of more rows the tallest is next.
    static constexpr int most = 4 * tallest;
    unsigned char place[most + 1] = {};

    constexpr TileHeights() {
        constexpr int hiding = 5;  // of rows one AVX2 vector wide; chosen on `digits`
        int cost[most + 1] = {};
        for (int left = 1; left <= most; ++left)
            for (int p = 0; p < count() && height(p) <= left; ++p) {
                const int with_it = cost[left - height(p)] + (height(p) < hiding ? hiding : height(p)) + 1;
                if (p > 0 && with_it > cost[left]) continue;
                cost[left] = with_it;
                place[left] = static_cast<unsigned char>(p);
            }
    }
};
template <int tallest> constexpr TileHeights<tallest> tile_heights = {};

// The place of the next tile's height.
template <int tallest> CHAINRULE_INLINE int next_tile(Index left) {
    return left <= TileHeights<tallest>::most ? tile_heights<tallest>.place[left] : TileHeights<tallest>::count() - 1;
}
// The places of all heights.
template <int tallest> using PlacesOfHeights = UpTo<TileHeights<tallest>::count()>;
