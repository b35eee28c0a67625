// Written by derive_polynomials.py; highest power first.
template <class T> struct Polynomials;
template <> struct Polynomials<float> {
    static constexpr float log2_e = 0x1.7154760000000p+0f;
    static constexpr float half_ln2 = 0x1.62e4300000000p-2f;
    static constexpr float ln2_high = 0x1.62e0000000000p-1f;
    static constexpr float ln2_low = 0x1.0bfbe80000000p-15f;
    // (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2; error 6.49e-8
    static constexpr float exp_tail[] = {0x1.6d10fc0000000p-10f, 0x1.120b620000000p-7f, 0x1.55551a0000000p-5f, 0x1.5554de0000000p-3f, 0x1.0000000000000p-1f};
    // (exp(2 r) - 1 - 2 r) / (2 r^2) for |r| <= ln(2) / 4; error 1.3e-7
    static constexpr float tanh_tail[] = {0x1.6d10fc0000000p-5f, 0x1.120b620000000p-3f, 0x1.55551a0000000p-2f, 0x1.5554de0000000p-1f, 0x1.0000000000000p+0f};
    // (2 atanh(s) - 2 s) / s^3 over z = s^2, s <= 3 - 2 sqrt(2); error 1.88e-7
    static constexpr float atanh_tail[] = {0x1.2ee6100000000p-2f, 0x1.997c300000000p-2f, 0x1.55555c0000000p-1f};
};
template <> struct Polynomials<double> {
    static constexpr double log2_e = 0x1.71547652b82fep+0;
    static constexpr double half_ln2 = 0x1.62e42fefa39efp-2;
    static constexpr double ln2_high = 0x1.62e42fefa2000p-1;
    static constexpr double ln2_low = 0x1.9ef35793c7673p-41;
    // (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2; error 1.05e-16
    static constexpr double exp_tail[] = {0x1.af389ecfc4b9cp-26, 0x1.28917c89a43a7p-22, 0x1.71de0db2f6b19p-19, 0x1.a019b9149a41cp-16, 0x1.a01a01a7c2efep-13, 0x1.6c16c17889ef1p-10, 0x1.11111111109b5p-7, 0x1.5555555553d68p-5, 0x1.5555555555556p-3, 0x1.0000000000001p-1};
    // (exp(2 r) - 1 - 2 r) / (2 r^2) for |r| <= ln(2) / 4; error 2.1e-16
    static constexpr double tanh_tail[] = {0x1.af389ecfc4b9cp-16, 0x1.28917c89a43a7p-13, 0x1.71de0db2f6b19p-11, 0x1.a019b9149a41cp-9, 0x1.a01a01a7c2efep-7, 0x1.6c16c17889ef1p-5, 0x1.11111111109b5p-3, 0x1.5555555553d68p-2, 0x1.5555555555556p-1, 0x1.0000000000001p+0};
    // (2 atanh(s) - 2 s) / s^3 over z = s^2, s <= 3 - 2 sqrt(2); error 2.07e-18
    static constexpr double atanh_tail[] = {0x1.0c039c49989c6p-3, 0x1.0fbe95d716020p-3, 0x1.3b1c355a8f7a2p-3, 0x1.745cf9048dd95p-3, 0x1.c71c720159177p-3, 0x1.2492492476cccp-2, 0x1.9999999999a38p-2, 0x1.5555555555555p-1};
};
