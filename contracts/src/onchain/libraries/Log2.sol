// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @title Log2
/// @notice Logarithms to the base 2 in fixed point with 32 fractional bits, the same bits everywhere.
/// @dev With `e = floor(log2(n))` the 64-bit word `n << (63 - e)` is a leading one, the 8 bits `j` and
/// the 55 bits `r`. The result is `e * 2^32 + T[j] + floor((T[j + 1] - T[j]) * r / 2^55)`, where
/// `T[j] = round(2^32 * log2(1 + j / 256))`. So it never falls as n grows, is never above the true
/// logarithm by more than the table's rounding, and at most 2.75e-6 below it. Powers of two are exact;
/// up to 511 only the table rounds.
library Log2 {
    /// @dev T[0] to T[256] in 4 bytes each. The last, 2^32, wraps to 0: `log2` only takes differences.
    bytes private constant TABLE = hex"0000000001709c4702dfca17044d8c4605b9e5a10724d8ef088e68eb09f6984a0b5d69bb0cc2dfe2"
        hex"0e26fd5d0f89c4c210eb38a0124b5b7e13aa2fdd1507b8361663f6fb17beee971918a16e1a7111df"
        hex"1bc842411d1e34e31e72ec111fc66a0f2118b11a2269c36923b9a32f250852962655d3c527a228db"
        hex"28ed53f32a3757212b8034742cc7edf62e0e85aa2f53fd90309857a031db95d0331dba0f345ec646"
        hex"359ebc5b36dd9e2f381b6d9c39582c793a93dc983bce7fc73d0817cf3e40a6723f782d7240aeae89"
        hex"41e42b6f4318a5d5444c1f6b457e99db46b016ca47e097db49101eac4a3eacd74b6c43f14c98e58e"
        hex"4dc4933b4eef4e83501918ec5141f3fb5269e12f5390e20454b6f7f155dc246d570068e85823c6d1"
        hex"59463f925a67d4925b8887365ca858df5dc74aea5ee55eb16002958c611ef0cf623a71cc635519cf"
        hex"646eea246587e41566a008e467b759d668cdd82a69e3851c6af861e66c0c6fc06d1fafdd6e322370"
        hex"6f43cba87054a9b17164beb572740bdb7382924974905320759d4f8176a9888877b4ff5178bfb4f4"
        hex"79c9aa887ad2e11f7bdb59cd7ce3159f7dea15a37ef05ae47ff5e66a80fab93c81fed45d830238d0"
        hex"8404e7948506e1a8860828078708bbaa88089d8b8907ce9d8a064fd58b0422258c01467c8cfdbdc8"
        hex"8df988f58ef4a8ed8fef1e9890e8eade91e20ea192da8ac693d2602c94c98fb495c01a3a96b6009b"
        hex"97ab43af989fe4519993e3569a8741939b79ffdb9c6c1f019d5d9fd59e4e83259f3ec9bda02e746a"
        hex"a11d83f5a20bf926a2f9d4c5a3e71797a4d3c25ea5bfd5dfa6ab52daa7963a0da8808c38a96a4a17"
        hex"aa537465ab3c0bdcac241135ad0b8526adf26866aed8bba8afbe7fa1b0a3b502b1885c7bb26c76bc"
        hex"b3500472b433064bb5157cf3b5f76913b6d8cb54b7b9a45eb899f4d9b979bd69ba58feb2bb37b959"
        hex"bc15edffbcf39d45bdd0c7cabead6e2dbf89910cc0653103c1404eaec21aeaa6c2f50586c3ce9fe4"
        hex"c4a7ba58c5805579c65871dac7301011c80730b0c8ddd449c9b3fb6dca89a6accb5ed695cc338bb7"
        hex"cd07c69ecddb87d6ceaecfebcf819f66d053f6d2d125d6b7d1f73f9cd2c83209d398ae81d468b58c"
        hex"d53847acd6076565d6d60f39d7a445a9d8720936d93f5a60da0c39a5dad8a784dba4a47bdc703104"
        hex"dd3b4d9dde05fac0ded038e6df9a088ae0636a24e12c5e2be1f4e517e2bcff5ee384ad75e44befd0"
        hex"e512c6e5e5d93326e69f3506e764ccf7e829fb69e8eec0cee9b31d94ea77122beb3a9f02ebfdc485"
        hex"ecc08322ed82db45ee44cd5aef0659ccefc78104f088436df148a170f2089b75f2c831e4f3876524"
        hex"f446359bf504a3aff5c2afc6f6805a44f73da38ef7fa8c05f8b7140ff9733c0cfa2f045efaea6d67"
        hex"fba57787fc60231efd1a708cfdd4602efe8df264ff47278b00000000";

    /// @notice The table in memory: fetch it once in a call and hand it to every `log2`.
    function table() internal pure returns (bytes memory) {
        return TABLE;
    }

    /// @notice `log2(n)` times 2^32, rounded down between the table's points.
    /// @dev Not checked: `n` is 1 to 2^64 - 1, and `table_` comes from `table`.
    function log2(bytes memory table_, uint256 n) internal pure returns (uint256 result) {
        assembly ("memory-safe") {
            // The highest bit: halves by comparison, the last four bits by a table of 16 bytes.
            let e := shl(5, gt(n, 0xffffffff))
            e := or(e, shl(4, gt(shr(e, n), 0xffff)))
            e := or(e, shl(3, gt(shr(e, n), 0xff)))
            e := or(e, shl(2, gt(shr(e, n), 0xf)))
            e := or(
                e,
                byte(shr(e, n), 0x0000010102020202030303030303030300000000000000000000000000000000)
            )
            let x := shl(sub(63, e), n)
            // One load brings T[j] and T[j + 1].
            let pair := shr(192, mload(add(add(table_, 0x20), shl(2, and(shr(55, x), 0xff)))))
            let low := shr(32, pair)
            let step := and(sub(pair, low), 0xffffffff)
            result := add(add(shl(32, e), low), shr(55, mul(step, and(x, 0x7fffffffffffff))))
        }
    }
}
