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
    static constexpr float cosh_limit = 0x1.4ccccc0000000p+0f;
    // (cosh(x) - 1 - x^2 / 2) / x^4 over z = x^2, x <= cosh_limit; error 1.37e-10
    static constexpr float cosh_tail[] = {0x1.2f91960000000p-22f, 0x1.9ff9740000000p-16f, 0x1.6c16ee0000000p-10f, 0x1.5555560000000p-5f};
    static constexpr float erfc_offset = 0x1.8000000000000p-1f;
    static constexpr float erfc_centre = 0x1.6000000000000p+1f;
    static constexpr float erfc_zero = 0x1.4666660000000p+3f;
    // (offset + x) exp(x^2) erfc(x) over q = (x - centre) / (x + centre), 0 <= x <= zero; error 1.67e-8
    static constexpr float erfc_scaled[] = {0x1.a1ab640000000p-13f, 0x1.e322460000000p-11f, -0x1.25ee580000000p-10f, -0x1.5e9a480000000p-8f, 0x1.751da60000000p-6f, -0x1.6072e40000000p-5f, 0x1.3354240000000p-5f, 0x1.b764480000000p-6f, -0x1.37abac0000000p-3f, 0x1.5b0ae00000000p-1f};
    static constexpr float normal_offset = 0x1.4000000000000p+0f;
    static constexpr float normal_centre = 0x1.c000000000000p+1f;
    static constexpr float normal_zero = 0x1.d000000000000p+3f;
    // (offset + x) exp(x^2 / 2) Phi(-x) over q = (x - centre) / (x + centre), 0 <= x <= zero; error 8.41e-9
    static constexpr float normal_scaled[] = {0x1.3756ca0000000p-13f, 0x1.1d1ca00000000p-13f, -0x1.54aa5e0000000p-10f, -0x1.f097f40000000p-15f, 0x1.471cd40000000p-7f, -0x1.a1b3a80000000p-6f, 0x1.72e9700000000p-6f, 0x1.08333e0000000p-5f, -0x1.27ee520000000p-3f, 0x1.02a1a40000000p-1f};
    static constexpr float normal_peak = 0x1.9884540000000p-2f;
    // sin(2 pi t) / t over z = t^2, t <= 1 / 4; error 2.7e-8
    static constexpr float sine_of_turns[] = {0x1.3e14200000000p+5f, -0x1.32531e0000000p+6f, 0x1.4668f00000000p+6f, -0x1.4abbc40000000p+5f, 0x1.921fb60000000p+2f};
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
    static constexpr double cosh_limit = 0x1.4cccccccccccdp+0;
    // (cosh(x) - 1 - x^2 / 2) / x^4 over z = x^2, x <= cosh_limit; error 7.66e-19
    static constexpr double cosh_tail[] = {0x1.b6e5d065e3effp-45, 0x1.9383b5c244178p-37, 0x1.1eeda59829430p-29, 0x1.27e4fb5cc9337p-22, 0x1.a01a01a038297p-16, 0x1.6c16c16c16b4bp-10, 0x1.5555555555555p-5};
    static constexpr double erfc_offset = 0x1.8000000000000p-1;
    static constexpr double erfc_centre = 0x1.0000000000000p+2;
    static constexpr double erfc_zero = 0x1.b666666666666p+4;
    // (offset + x) exp(x^2) erfc(x) over q = (x - centre) / (x + centre), 0 <= x <= zero; error 2.98e-17
    static constexpr double erfc_scaled[] = {-0x1.2a268eefbe3ebp-28, -0x1.719d7c86648acp-28, 0x1.9c5741f95fd60p-25, 0x1.3735426247fa4p-25, -0x1.9eedaf8b75cf8p-22, 0x1.6564b45595b44p-24, 0x1.715dbd005e1cdp-19, -0x1.477242ad59230p-18, -0x1.a95127ebcee3cp-17, 0x1.243b6b09e76c1p-14, -0x1.4f0d2452acf71p-14, -0x1.92ff2154c33afp-12, 0x1.2f96e27b5deb1p-9, -0x1.d03e75dc5e87bp-8, 0x1.f7bc26ea83154p-7, -0x1.9f2d6b7c164ebp-6, 0x1.fd5ea957582a8p-6, -0x1.7d661b5163ef4p-6, -0x1.cbcbb937c6715p-8, 0x1.feeed64c70016p-5, -0x1.139d67c45f2d6p-3, 0x1.4d2ec42da8b94p-1};
    static constexpr double normal_offset = 0x1.4000000000000p+0;
    static constexpr double normal_centre = 0x1.7000000000000p+2;
    static constexpr double normal_zero = 0x1.359999999999ap+5;
    // (offset + x) exp(x^2 / 2) Phi(-x) over q = (x - centre) / (x + centre), 0 <= x <= zero; error 1.05e-17
    static constexpr double normal_scaled[] = {-0x1.eb5681e93437cp-29, -0x1.412d91a018ef8p-27, 0x1.ed2f598d7d7c6p-26, 0x1.326435b41a408p-24, -0x1.098567f51b907p-22, -0x1.17b3b653039efp-22, 0x1.245e31a21a5b6p-19, -0x1.c2b9effb0f552p-20, -0x1.db2bd77f8167ep-17, 0x1.9a70bc98ef5a3p-15, -0x1.19d1aec324d74p-16, -0x1.a5b4cac0d4da4p-12, 0x1.e54153a671ad1p-10, -0x1.4bd2fc7c49392p-8, 0x1.4a0fd57d6fe5fp-7, -0x1.eca145dd4d777p-7, 0x1.fa771508435a0p-7, -0x1.46adfc9a15126p-8, -0x1.647049daf2314p-6, 0x1.0b51b9415d781p-4, -0x1.e5e2c051d6049p-4, 0x1.e379e10e41818p-2};
    static constexpr double normal_peak = 0x1.9884533d43651p-2;
    // sin(2 pi t) / t over z = t^2, t <= 1 / 4; error 1.3e-18
    static constexpr double sine_of_turns[] = {0x1.9d462020fcc78p-4, -0x1.6f7acdb8f6580p-1, 0x1.e8f3675ee37ddp+1, -0x1.e3074dfaf87afp+3, 0x1.5078348551854p+5, -0x1.32d2cce627c86p+6, 0x1.466bc6775aa7dp+6, -0x1.4abbce625be52p+5, 0x1.921fb54442d18p+2};
};
