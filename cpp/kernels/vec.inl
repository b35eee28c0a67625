// Vec<T>: 64 bytes of T (16 floats, 8 doubles) on every target, held in one, two or four registers.
//
// One width everywhere keeps lane structure, and so every rounding, the same on all CPUs. Arithmetic uses the
// compiler's vector types; what they lack (fused multiply-add, masked tails, square root) is written per CPU.
// Only IEEE operations: compare and select instead of min and max, whose NaN rules differ between CPUs.

#if defined(__AVX512F__)
constexpr int register_bytes = 64;
#elif defined(__AVX2__)
constexpr int register_bytes = 32;
#else
constexpr int register_bytes = 16;
#endif
constexpr int parts = static_cast<int>(line_bytes) / register_bytes;

template <class T> struct Types;
template <> struct Types<float> {
    typedef float Native __attribute__((vector_size(register_bytes)));
    typedef std::int32_t Bits __attribute__((vector_size(register_bytes)));
    typedef float Loose __attribute__((vector_size(register_bytes), aligned(4), may_alias));
    using Scalar = std::int32_t;
    static constexpr int mantissa_bits = 23, exponent_bias = 127;
};
template <> struct Types<double> {
    typedef double Native __attribute__((vector_size(register_bytes)));
    typedef std::int64_t Bits __attribute__((vector_size(register_bytes)));
    typedef double Loose __attribute__((vector_size(register_bytes), aligned(8), may_alias));
    using Scalar = std::int64_t;
    static constexpr int mantissa_bits = 52, exponent_bias = 1023;
};
template <class T> using Native = typename Types<T>::Native;
template <class T> using NativeBits = typename Types<T>::Bits;
template <class T> constexpr int part_lanes = register_bytes / static_cast<int>(sizeof(T));

#define CHAINRULE_INLINE inline __attribute__((always_inline))
// A long function of vectors. SSE2 has registers for four, so there it is called, and stands once.
#if defined(__x86_64__) && !defined(__AVX2__)
#define CHAINRULE_LONG __attribute__((noinline))
#else
#define CHAINRULE_LONG CHAINRULE_INLINE
#endif
#define EACH_PART _Pragma("GCC unroll 4") for (int p = 0; p < parts; ++p)

template <class T> struct Vec {
    Native<T> part[parts];
};

// UpTo<3> is Indices<0, 1, 2>.
template <int... I> struct Indices {};
template <int N, int... I> struct Count : Count<N - 1, N - 1, I...> {};
template <int... I> struct Count<0, I...> {
    using Type = Indices<I...>;
};
template <int N> using UpTo = typename Count<N>::Type;

#if defined(__AVX512F__)
template <class T> struct Mask;
template <> struct Mask<float> { __mmask16 bits; };
template <> struct Mask<double> { __mmask8 bits; };
#else
template <class T> struct Mask {
    NativeBits<T> part[parts];
};
#endif

// Width of an access: whole vectors, or the first `count` lanes.
struct All {};
struct Tail { Index count; };

// --- loads, stores, broadcast ---------------------------------------------------------------------------------

template <class T> CHAINRULE_INLINE Vec<T> broadcast(T value) {
    Vec<T> x;
    EACH_PART x.part[p] = value - Native<T>{};
    return x;
}
template <class T> CHAINRULE_INLINE Vec<T> load(const T* source, All = {}) {
    Vec<T> x;
    EACH_PART x.part[p] = *reinterpret_cast<const typename Types<T>::Loose*>(source + p * part_lanes<T>);
    return x;
}
template <class T> CHAINRULE_INLINE void store(T* target, const Vec<T>& x, All = {}) {
    EACH_PART *reinterpret_cast<typename Types<T>::Loose*>(target + p * part_lanes<T>) = x.part[p];
}

// Keeps a vector that is used several times in its register; left alone, the compiler may load it for each use.
template <class T> CHAINRULE_INLINE Vec<T> in_register(const Vec<T>& x) {
    Vec<T> y;
    EACH_PART {
        Native<T> part = x.part[p];
#if defined(__x86_64__)
        asm("" : "+v"(part));
#elif defined(__aarch64__)
        asm("" : "+w"(part));
#endif
        y.part[p] = part;
    }
    return y;
}

#if defined(__AVX512F__)
CHAINRULE_INLINE __mmask16 tail_mask(Tail width) { return static_cast<__mmask16>(_bzhi_u32(0xffffu, static_cast<unsigned>(width.count))); }
CHAINRULE_INLINE Vec<float> load(const float* source, Tail width) {
    return {{_mm512_maskz_loadu_ps(tail_mask(width), source)}};
}
CHAINRULE_INLINE Vec<double> load(const double* source, Tail width) {
    return {{_mm512_maskz_loadu_pd(static_cast<__mmask8>(tail_mask(width)), source)}};
}
CHAINRULE_INLINE void store(float* target, const Vec<float>& x, Tail width) {
    _mm512_mask_storeu_ps(target, tail_mask(width), x.part[0]);
}
CHAINRULE_INLINE void store(double* target, const Vec<double>& x, Tail width) {
    _mm512_mask_storeu_pd(target, static_cast<__mmask8>(tail_mask(width)), x.part[0]);
}
#elif defined(__AVX2__)
// Ones in the first `count` lanes, read from a row of ones and zeros.
template <class T> CHAINRULE_INLINE __m256i tail_mask(Tail width, int p) {
    using Scalar = typename Types<T>::Scalar;
    static constexpr Scalar ones[2 * lanes<float>] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ones + lanes<float> - width.count + p * part_lanes<T>));
}
CHAINRULE_INLINE Vec<float> load(const float* source, Tail width) {
    Vec<float> x;
    EACH_PART x.part[p] = _mm256_maskload_ps(source + p * part_lanes<float>, tail_mask<float>(width, p));
    return x;
}
CHAINRULE_INLINE Vec<double> load(const double* source, Tail width) {
    Vec<double> x;
    EACH_PART x.part[p] = _mm256_maskload_pd(source + p * part_lanes<double>, tail_mask<double>(width, p));
    return x;
}
// In halves: masked stores take dozens of operations on AMD's CPUs.
CHAINRULE_INLINE void store(float* target, const Vec<float>& x, Tail width) {
    __m256 rest = x.part[0];
    if (width.count & 8) {
        _mm256_storeu_ps(target, rest);
        rest = x.part[1];
        target += 8;
    }
    __m128 left = _mm256_castps256_ps128(rest);
    if (width.count & 4) {
        _mm_storeu_ps(target, left);
        left = _mm256_extractf128_ps(rest, 1);
        target += 4;
    }
    if (width.count & 2) {
        _mm_storel_pi(reinterpret_cast<__m64*>(target), left);
        left = _mm_movehl_ps(left, left);
        target += 2;
    }
    if (width.count & 1) _mm_store_ss(target, left);
}
CHAINRULE_INLINE void store(double* target, const Vec<double>& x, Tail width) {
    __m256d rest = x.part[0];
    if (width.count & 4) {
        _mm256_storeu_pd(target, rest);
        rest = x.part[1];
        target += 4;
    }
    __m128d left = _mm256_castpd256_pd128(rest);
    if (width.count & 2) {
        _mm_storeu_pd(target, left);
        left = _mm256_extractf128_pd(rest, 1);
        target += 2;
    }
    if (width.count & 1) _mm_store_sd(target, left);
}
#else
template <class T> CHAINRULE_INLINE Vec<T> load(const T* source, Tail width) {
    alignas(line_bytes) T lane[lanes<T>] = {};
    for (Index i = 0; i < width.count; ++i) lane[i] = source[i];
    return load(lane);
}
template <class T> CHAINRULE_INLINE void store(T* target, const Vec<T>& x, Tail width) {
    alignas(line_bytes) T lane[lanes<T>];
    store(lane, x);
    for (Index i = 0; i < width.count; ++i) target[i] = lane[i];
}
#endif

// The first `count` lanes, up to all of them.
template <class T> CHAINRULE_INLINE void store_some(T* target, const Vec<T>& x, Index count) {
    if (count == lanes<T>) store(target, x);
    else store(target, x, Tail{count});
}

// --- arithmetic -----------------------------------------------------------------------------------------------

template <class T> CHAINRULE_INLINE Vec<T> operator+(const Vec<T>& a, const Vec<T>& b) {
    Vec<T> x;
    EACH_PART x.part[p] = a.part[p] + b.part[p];
    return x;
}
template <class T> CHAINRULE_INLINE Vec<T> operator-(const Vec<T>& a, const Vec<T>& b) {
    Vec<T> x;
    EACH_PART x.part[p] = a.part[p] - b.part[p];
    return x;
}
template <class T> CHAINRULE_INLINE Vec<T> operator*(const Vec<T>& a, const Vec<T>& b) {
    Vec<T> x;
    EACH_PART x.part[p] = a.part[p] * b.part[p];
    return x;
}
template <class T> CHAINRULE_INLINE Vec<T> operator/(const Vec<T>& a, const Vec<T>& b) {
    Vec<T> x;
    EACH_PART x.part[p] = a.part[p] / b.part[p];
    return x;
}

#if defined(__AVX512F__)
CHAINRULE_INLINE Native<float> fma_part(Native<float> a, Native<float> b, Native<float> c) { return _mm512_fmadd_ps(a, b, c); }
CHAINRULE_INLINE Native<double> fma_part(Native<double> a, Native<double> b, Native<double> c) { return _mm512_fmadd_pd(a, b, c); }
CHAINRULE_INLINE Native<float> sqrt_part(Native<float> a) { return _mm512_maskz_sqrt_ps(0xffff, a); }
CHAINRULE_INLINE Native<double> sqrt_part(Native<double> a) { return _mm512_maskz_sqrt_pd(0xff, a); }
constexpr bool has_fma = true;
#elif defined(__AVX2__)
CHAINRULE_INLINE Native<float> fma_part(Native<float> a, Native<float> b, Native<float> c) { return _mm256_fmadd_ps(a, b, c); }
CHAINRULE_INLINE Native<double> fma_part(Native<double> a, Native<double> b, Native<double> c) { return _mm256_fmadd_pd(a, b, c); }
CHAINRULE_INLINE Native<float> sqrt_part(Native<float> a) { return _mm256_sqrt_ps(a); }
CHAINRULE_INLINE Native<double> sqrt_part(Native<double> a) { return _mm256_sqrt_pd(a); }
constexpr bool has_fma = true;
#elif defined(__aarch64__)
CHAINRULE_INLINE Native<float> fma_part(Native<float> a, Native<float> b, Native<float> c) { return vfmaq_f32(c, a, b); }
CHAINRULE_INLINE Native<double> fma_part(Native<double> a, Native<double> b, Native<double> c) { return vfmaq_f64(c, a, b); }
CHAINRULE_INLINE Native<float> sqrt_part(Native<float> a) { return vsqrtq_f32(a); }
CHAINRULE_INLINE Native<double> sqrt_part(Native<double> a) { return vsqrtq_f64(a); }
constexpr bool has_fma = true;
#else
template <class V> CHAINRULE_INLINE V fma_part(V a, V b, V c) { return a * b + c; }
#if defined(__SSE2__)
CHAINRULE_INLINE Native<float> sqrt_part(Native<float> a) { return _mm_sqrt_ps(a); }
CHAINRULE_INLINE Native<double> sqrt_part(Native<double> a) { return _mm_sqrt_pd(a); }
#else
template <class V> CHAINRULE_INLINE V sqrt_part(V a) {
    for (unsigned i = 0; i < sizeof(V) / sizeof(a[0]); ++i) a[i] = sizeof(a[0]) == 4 ? __builtin_sqrtf(a[i]) : __builtin_sqrt(a[i]);
    return a;
}
#endif
constexpr bool has_fma = false;
#endif

// a * b + c, rounded once where the target has a fused multiply-add.
template <class T> CHAINRULE_INLINE Vec<T> fma(const Vec<T>& a, const Vec<T>& b, const Vec<T>& c) {
    Vec<T> x;
    EACH_PART x.part[p] = fma_part(a.part[p], b.part[p], c.part[p]);
    return x;
}
template <class T> CHAINRULE_INLINE Vec<T> sqrt(const Vec<T>& a) {
    Vec<T> x;
    EACH_PART x.part[p] = sqrt_part(a.part[p]);
    return x;
}

// --- compare and select ---------------------------------------------------------------------------------------

#if defined(__AVX512F__)
CHAINRULE_INLINE Mask<float> operator<(const Vec<float>& a, const Vec<float>& b) { return {_mm512_cmp_ps_mask(a.part[0], b.part[0], _CMP_LT_OQ)}; }
CHAINRULE_INLINE Mask<double> operator<(const Vec<double>& a, const Vec<double>& b) { return {_mm512_cmp_pd_mask(a.part[0], b.part[0], _CMP_LT_OQ)}; }
CHAINRULE_INLINE Mask<float> operator<=(const Vec<float>& a, const Vec<float>& b) { return {_mm512_cmp_ps_mask(a.part[0], b.part[0], _CMP_LE_OQ)}; }
CHAINRULE_INLINE Mask<double> operator<=(const Vec<double>& a, const Vec<double>& b) { return {_mm512_cmp_pd_mask(a.part[0], b.part[0], _CMP_LE_OQ)}; }
CHAINRULE_INLINE Mask<float> operator==(const Vec<float>& a, const Vec<float>& b) { return {_mm512_cmp_ps_mask(a.part[0], b.part[0], _CMP_EQ_OQ)}; }
CHAINRULE_INLINE Mask<double> operator==(const Vec<double>& a, const Vec<double>& b) { return {_mm512_cmp_pd_mask(a.part[0], b.part[0], _CMP_EQ_OQ)}; }
CHAINRULE_INLINE Vec<float> select(Mask<float> mask, const Vec<float>& a, const Vec<float>& b) { return {{_mm512_mask_blend_ps(mask.bits, b.part[0], a.part[0])}}; }
CHAINRULE_INLINE Vec<double> select(Mask<double> mask, const Vec<double>& a, const Vec<double>& b) { return {{_mm512_mask_blend_pd(mask.bits, b.part[0], a.part[0])}}; }
#else
#define CHAINRULE_COMPARE(op)                                                                   \
    template <class T> CHAINRULE_INLINE Mask<T> operator op(const Vec<T>& a, const Vec<T>& b) { \
        Mask<T> x;                                                                              \
        EACH_PART x.part[p] = a.part[p] op b.part[p];                                           \
        return x;                                                                               \
    }
CHAINRULE_COMPARE(<)
CHAINRULE_COMPARE(<=)
CHAINRULE_COMPARE(==)
#undef CHAINRULE_COMPARE
template <class T> CHAINRULE_INLINE Vec<T> select(const Mask<T>& mask, const Vec<T>& a, const Vec<T>& b) {
    Vec<T> x;
    EACH_PART x.part[p] = mask.part[p] ? a.part[p] : b.part[p];
    return x;
}
#endif

// x, but 0 where a <= 0; where a is NaN it stays.
#if defined(__AVX512F__)
CHAINRULE_INLINE Vec<float> unless_at_most_0(const Vec<float>& a, const Vec<float>& x) {
    return {{_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a.part[0], __m512{}, _CMP_NLE_UQ), x.part[0])}};
}
CHAINRULE_INLINE Vec<double> unless_at_most_0(const Vec<double>& a, const Vec<double>& x) {
    return {{_mm512_maskz_mov_pd(_mm512_cmp_pd_mask(a.part[0], __m512d{}, _CMP_NLE_UQ), x.part[0])}};
}
#else
template <class T> CHAINRULE_INLINE Vec<T> unless_at_most_0(const Vec<T>& a, const Vec<T>& x) { return select(a <= Vec<T>{}, Vec<T>{}, x); }
#endif

// a < b ? a : b and a > b ? a : b, so b where one is NaN: what x86's min and max instructions do, other CPUs compare.
#if defined(__AVX512F__)
CHAINRULE_INLINE Vec<float> smaller(const Vec<float>& a, const Vec<float>& b) { return {{_mm512_maskz_min_ps(0xffff, a.part[0], b.part[0])}}; }
CHAINRULE_INLINE Vec<double> smaller(const Vec<double>& a, const Vec<double>& b) { return {{_mm512_maskz_min_pd(0xff, a.part[0], b.part[0])}}; }
CHAINRULE_INLINE Vec<float> larger(const Vec<float>& a, const Vec<float>& b) { return {{_mm512_maskz_max_ps(0xffff, a.part[0], b.part[0])}}; }
CHAINRULE_INLINE Vec<double> larger(const Vec<double>& a, const Vec<double>& b) { return {{_mm512_maskz_max_pd(0xff, a.part[0], b.part[0])}}; }
#else
template <class T> CHAINRULE_INLINE Vec<T> smaller(const Vec<T>& a, const Vec<T>& b) { return select(a < b, a, b); }
template <class T> CHAINRULE_INLINE Vec<T> larger(const Vec<T>& a, const Vec<T>& b) { return select(b < a, a, b); }
#endif

// 0, 1, 2, ... from lane to lane.
template <class T> CHAINRULE_INLINE Vec<T> lane_numbers() {
    static constexpr T number[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return load(number);
}
// `value` in the first `count` lanes, 0 behind.
template <class T> CHAINRULE_INLINE Vec<T> first_lanes(T value, Index count) {
    return select(lane_numbers<T>() < broadcast(T(count)), broadcast(value), Vec<T>{});
}

// --- bits -----------------------------------------------------------------------------------------------------

template <class T> CHAINRULE_INLINE Vec<T> absolute(const Vec<T>& a) {
    Vec<T> x;
    EACH_PART x.part[p] = (Native<T>)((NativeBits<T>)a.part[p] & (NativeBits<T>)~(NativeBits<T>)(-Native<T>{}));
    return x;
}
// |magnitude| with the sign of `sign`; magnitude >= 0.
template <class T> CHAINRULE_INLINE Vec<T> with_sign(const Vec<T>& magnitude, const Vec<T>& sign) {
    const NativeBits<T> sign_bit = (NativeBits<T>)(-Native<T>{});
    Vec<T> x;
    EACH_PART x.part[p] = (Native<T>)((NativeBits<T>)magnitude.part[p] | ((NativeBits<T>)sign.part[p] & sign_bit));
    return x;
}
// The bits, moved up by N: what leaves on the left is gone.
template <int N, class T> CHAINRULE_INLINE Vec<T> shift_bits_left(const Vec<T>& a) {
    Vec<T> x;
    EACH_PART x.part[p] = (Native<T>)((NativeBits<T>)a.part[p] << N);
    return x;
}

// --- shuffles -------------------------------------------------------------------------------------------------

// The elements of a followed by those of b, in these places. GCC 11 takes the places as a vector.
template <int... places, class V> CHAINRULE_INLINE V picked(const V& a, const V& b) {
#if defined(__clang__) || __GNUC__ >= 12
    return __builtin_shufflevector(a, b, places...);
#else
    return __builtin_shuffle(a, b, decltype(a < b){places...});
#endif
}

// --- transpose ------------------------------------------------------------------------------------------------

// One step of a butterfly: a and b trade halves of each group of 2 * S lanes.
template <int S, class V, int... I> CHAINRULE_INLINE void trade(V& a, V& b, Indices<I...>) {
    constexpr int count = sizeof...(I);
    const V low = picked<((I & S) == 0 ? I : count + I - S)...>(a, b);
    b = picked<((I & S) == 0 ? I + S : count + I)...>(a, b);
    a = low;
}

// One level of the butterfly inside registers. For lanes up to a register's width.
template <int S, class T> CHAINRULE_INLINE void trade_rows(Vec<T> (&x)[lanes<T>]) {
    if constexpr (S < part_lanes<T>) {
        _Pragma("GCC unroll 16") for (int i = 0; i < lanes<T>; ++i)
            if ((i & S) == 0)
                EACH_PART trade<S>(x[i].part[p], x[i + S].part[p], UpTo<part_lanes<T>>{});
    } else {
        constexpr int step = S / part_lanes<T>;  // whole registers change places
        _Pragma("GCC unroll 16") for (int i = 0; i < lanes<T>; ++i)
            if ((i & S) == 0)
                EACH_PART if ((p & step) == 0) {
                    const Native<T> kept = x[i].part[p + step];
                    x[i].part[p + step] = x[i + S].part[p];
                    x[i + S].part[p] = kept;
                }
    }
}

// Only AVX-512 has registers for a whole square; elsewhere it passes through memory anyway, and the butterfly stands once.
#if defined(__AVX512F__)
#define CHAINRULE_SQUARE CHAINRULE_INLINE
#else
#define CHAINRULE_SQUARE __attribute__((noinline)) inline
#endif

// x[i][j] <-> x[j][i]
CHAINRULE_SQUARE void transpose_square(Vec<float> (&x)[16]) {
    trade_rows<1>(x);
    trade_rows<2>(x);
    trade_rows<4>(x);
    trade_rows<8>(x);
}
CHAINRULE_SQUARE void transpose_square(Vec<double> (&x)[8]) {
    trade_rows<1>(x);
    trade_rows<2>(x);
    trade_rows<4>(x);
}

// --- sums of the lanes: i + (i + half) first, then halves again ---------------------------------------------------

// Of each group of 2 * S lanes a's low half gets its high half added, b's high half its low half. One of the two
// shuffles is a blend, which other ports can do.
template <int S, class V, int... I> CHAINRULE_INLINE V add_crossed(const V& a, const V& b, Indices<I...>) {
    constexpr int count = sizeof...(I);
    const V kept = picked<((I & S) == 0 ? I : count + I)...>(a, b);
    const V other = picked<((I & S) == 0 ? I + S : count + I - S)...>(a, b);
    return kept + other;
}

// The first levels, of whole registers: one register is left of a vector.
template <class T> CHAINRULE_INLINE Native<T> fold(const Vec<T>& a) {
    if constexpr (parts == 4) return (a.part[0] + a.part[2 % parts]) + (a.part[1 % parts] + a.part[3 % parts]);
    if constexpr (parts == 2) return a.part[0] + a.part[1 % parts];
    return a.part[0];
}

// One level inside registers: x[i] takes the sums of x[i] in its low halves and of x[i + S] in its high halves.
template <int S, class T> CHAINRULE_INLINE void add_halves(Native<T>* x, int count) {
    if constexpr (S < part_lanes<T>)
        _Pragma("GCC unroll 8") for (int i = 0; i < S && i < count; ++i) x[i] = add_crossed<S>(x[i], x[i + S], UpTo<part_lanes<T>>{});
}

// Lane i becomes the sum of what was folded into x[i], for i < count; the registers behind must be 0.
template <int count, class T> CHAINRULE_INLINE Vec<T> sums_of_lanes(Native<T> (&x)[lanes<T>]) {
    Vec<T> sum;
    EACH_PART {
        Native<T>* const group = x + p * part_lanes<T>;
        add_halves<8, T>(group, count - p * part_lanes<T>);
        add_halves<4, T>(group, count - p * part_lanes<T>);
        add_halves<2, T>(group, count - p * part_lanes<T>);
        add_halves<1, T>(group, count - p * part_lanes<T>);
        sum.part[p] = group[0];
    }
    return sum;
}
template <class T> CHAINRULE_INLINE T sum_lanes(const Vec<T>& a) {
    Native<T> x[lanes<T>] = {fold(a)};
    return sums_of_lanes<1, T>(x).part[0][0];
}
