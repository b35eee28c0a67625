// Philox4x32-10 (Salmon et al., 2011) over vectors of counters, one bit a word: is it at most a bound?
//
// Block b of a step is the four words that ten rounds make of the counter (b low, b high, step low, step high):
//   c0, c1, c2, c3 <- high(m1 c2) ^ c1 ^ k0, low(m1 c2), high(m0 c0) ^ c3 ^ k1, low(m0 c0);   k0 += w0, k1 += w1
// A block has a lane of 64 bits: each product is two words of it, and multiplications read low halves only, so that the
// high ones may hold anything. Within a run of blocks c0 alone differs: rounds 1 and 2 come down to one product each.
// Three vectors at a time, since a round waits for its multiplication (AVX2: 2.2 cycles a word with one, 1.4 with three).

typedef std::uint64_t Counters __attribute__((vector_size(register_bytes)));
using Words = NativeBits<float>;

constexpr std::uint64_t philox_m0 = 0xD2511F53, philox_m1 = 0xCD9E8D57, philox_w0 = 0x9E3779B9, philox_w1 = 0xBB67AE85;
constexpr int blocks_each = register_bytes / 8, vectors_in_flight = 3, bytes_each = blocks_each / 2;
constexpr Index group_blocks = 24;  // of one, two or four groups of vectors

CHAINRULE_INLINE std::uint64_t low_half(std::uint64_t x) { return x & 0xFFFFFFFF; }
CHAINRULE_INLINE Counters spread(std::uint64_t x) { return x - Counters{}; }

#if defined(__AVX512F__)
CHAINRULE_INLINE Counters product_of_lows(Counters a, Counters b) { return (Counters)_mm512_maskz_mul_epu32(0xFF, (__m512i)a, (__m512i)b); }
CHAINRULE_INLINE unsigned at_most_bits(Words words, Words bound) { return _mm512_cmple_epi32_mask((__m512i)words, (__m512i)bound); }
#elif defined(__AVX2__)
CHAINRULE_INLINE Counters product_of_lows(Counters a, Counters b) { return (Counters)_mm256_mul_epu32((__m256i)a, (__m256i)b); }
CHAINRULE_INLINE unsigned at_most_bits(Words words, Words bound) { return 0xFF ^ static_cast<unsigned>(_mm256_movemask_ps((__m256)(words > bound))); }
#elif defined(__SSE2__)
CHAINRULE_INLINE Counters product_of_lows(Counters a, Counters b) { return (Counters)_mm_mul_epu32((__m128i)a, (__m128i)b); }
CHAINRULE_INLINE unsigned at_most_bits(Words words, Words bound) { return 0xF ^ static_cast<unsigned>(_mm_movemask_ps((__m128)(words > bound))); }
#elif defined(__aarch64__)
CHAINRULE_INLINE Counters product_of_lows(Counters a, Counters b) { return (Counters)vmull_u32(vmovn_u64((uint64x2_t)a), vmovn_u64((uint64x2_t)b)); }
CHAINRULE_INLINE unsigned at_most_bits(Words words, Words bound) { return vaddvq_u32((uint32x4_t)((words <= bound) & Words{1, 2, 4, 8})); }
#else
CHAINRULE_INLINE Counters product_of_lows(Counters a, Counters b) { return (a & 0xFFFFFFFF) * (b & 0xFFFFFFFF); }
CHAINRULE_INLINE unsigned at_most_bits(Words words, Words bound) {
    unsigned bits = 0;
    for (int i = 0; i < 2 * blocks_each; ++i) bits |= static_cast<unsigned>(words[i] <= bound[i]) << i;
    return bits;
}
#endif

// Lanes of a hold words 1 and 0 of a block, those of b words 3 and 2: the words in order of every other block, from `lane` on.
template <int lane, int... I> CHAINRULE_INLINE Words words_in_order(Counters a, Counters b, Indices<I...>) {
#if defined(__AVX512F__)
    return (Words)_mm512_maskz_shuffle_ps(0xFFFF, (__m512)a, (__m512)b, lane == 0 ? 0x11 : 0xBB);  // of two vectors GCC makes a permutation
#else
    constexpr int count = sizeof...(I);
    return picked<((I % 4 < 2 ? 0 : count) + I / 4 * 4 + 2 * lane + 1 - I % 2)...>((Words)a, (Words)b);
#endif
}

// A step's stream, ready to be drawn from: keys of the rounds 3 to 10.
struct Stream {
    std::uint64_t key, step;
    Counters key0[8], key1[8];
    Words bound;
};

// The words kept are those with word >> 8 < keep 2^24, both sides exact in double precision: with t the right one rounded
// up, at least 1 and at most 2^24, those of at most 256 t - 1. Compared as signed numbers, the first bit of either turned.
inline Stream stream_of(double keep, std::uint64_t key, std::uint64_t step) {
    constexpr std::uint64_t first_bits = 0x8000000080000000;
    Stream stream = {key, step, {}, {}, {}};
    for (int round = 3; round <= 10; ++round) {
        stream.key0[round - 3] = spread(low_half(key) + static_cast<std::uint64_t>(round - 1) * philox_w0);
        stream.key1[round - 3] = spread((key >> 32) + static_cast<std::uint64_t>(round - 1) * philox_w1);
    }
    stream.key0[7] = stream.key0[7] << 32 ^ first_bits;
    stream.key1[7] = stream.key1[7] << 32 ^ first_bits;
    const double share = keep * 0x1p24;
    std::uint64_t t = static_cast<std::uint64_t>(share);
    t += static_cast<double>(t) < share || t == 0;
    stream.bound = static_cast<std::int32_t>(static_cast<std::uint32_t>(256 * t - 1) ^ 0x80000000) - Words{};
    return stream;
}

// Bits of `blocks` blocks that have c1 in common, four each, from block `first` on: whole groups of vectors are written.
__attribute__((noinline)) void draw_run(const Stream& stream, std::uint64_t first, Index blocks, unsigned char* bits) {
    constexpr int V = vectors_in_flight;
    const std::uint64_t key0 = low_half(stream.key), key1 = stream.key >> 32, step = low_half(stream.step);
    const std::uint64_t same = philox_m0 * low_half((philox_m1 * step >> 32) ^ first >> 32 ^ key0);  // m0 c0 in round 2
    const Counters c3 = spread(stream.step >> 32 ^ key1), c1 = spread((philox_m1 * step) ^ (key0 + philox_w0));
    const Counters high = spread(same >> 32 ^ (key1 + philox_w1)), low = spread(same);
    const Counters m0 = spread(philox_m0), m1 = spread(philox_m1), next = spread(philox_m0 * blocks_each);
    Counters counted;  // m0 c0 in round 1; half of the blocks stand in even lanes, as words_in_order takes them
    for (int lane = 0; lane < blocks_each; ++lane)
        counted[lane] = philox_m0 * (low_half(first) + static_cast<std::uint64_t>(lane / 2 + lane % 2 * (blocks_each / 2)));
    for (Index block = 0; block < blocks; block += V * blocks_each) {
        Counters c0[V], c2[V], a[V], b[V];  // a and b: products of the round before
        _Pragma("GCC unroll 4") for (int v = 0; v < V; ++v) {
            b[v] = product_of_lows(counted >> 32 ^ c3, m1);
            a[v] = low;
            c0[v] = b[v] >> 32 ^ c1;
            c2[v] = counted ^ high;
            counted += next;
        }
        _Pragma("GCC unroll 8") for (int round = 0; round < 7; ++round)
            _Pragma("GCC unroll 4") for (int v = 0; v < V; ++v) {
                const Counters from0 = product_of_lows(c0[v], m0), from2 = product_of_lows(c2[v], m1);
                c0[v] = from2 >> 32 ^ (b[v] ^ stream.key0[round]);
                c2[v] = from0 >> 32 ^ (a[v] ^ stream.key1[round]);
                a[v] = from0;
                b[v] = from2;
            }
        _Pragma("GCC unroll 4") for (int v = 0; v < V; ++v, bits += bytes_each) {
            const Counters words01 = product_of_lows(c2[v], m1) ^ (b[v] << 32 ^ stream.key0[7]);
            const Counters words23 = product_of_lows(c0[v], m0) ^ (a[v] << 32 ^ stream.key1[7]);
            const unsigned even = at_most_bits(words_in_order<0>(words01, words23, UpTo<2 * blocks_each>{}), stream.bound);
            const unsigned found = even | at_most_bits(words_in_order<1>(words01, words23, UpTo<2 * blocks_each>{}), stream.bound) << 2 * blocks_each;
            __builtin_memcpy(bits, &found, bytes_each);
        }
    }
}

// Of `blocks` blocks from `first` on those with its c1.
inline Index run_length(std::uint64_t first, Index blocks) { return at_most(static_cast<Index>((std::uint64_t(1) << 32) - low_half(first)), blocks); }

// The same for any blocks; `first` is even.
inline void draw(const Stream& stream, std::uint64_t first, Index blocks, unsigned char* bits) {
    while (blocks > 0) {
        const Index count = run_length(first, blocks);
        draw_run(stream, first, count, bits);
        first += static_cast<std::uint64_t>(count);
        blocks -= count;
        bits += count / 2;
    }
}
