// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @title CodeStorage
/// @notice Bytes kept as the code of contracts that can do nothing: 200 gas a byte instead of 691 for
/// storage, and reading them all costs hardly more than reading one.
/// @dev A page is the byte 0x00 (STOP, so that calling it does nothing), its kind, and its content. What
/// fits in one page is a leaf; more is several leaves and a page of their addresses, 20 bytes each.
library CodeStorage {
    /// @notice What a page holds: EIP-170's 24,576 bytes but for STOP and the kind.
    uint256 internal constant PAGE_BYTES_MAX = 24_574;
    /// @notice An index is one page; blocks of today cannot pay for so much.
    uint256 internal constant BYTES_MAX = PAGE_BYTES_MAX / 20 * PAGE_BYTES_MAX;

    bytes1 private constant LEAF = 0x00;
    bytes1 private constant INDEX = 0x01;
    uint256 private constant HEAD_BYTES = 2;

    /// @dev Out of gas, or the sender of this transaction has no right to create.
    error CodeStorageNotWritten();
    error CodeStorageTooLong(uint256 length);
    /// @dev No page of ours is at this address.
    error CodeStorageUnknown(address pointer);

    /// @notice Keeps `data` for ever.
    function write(bytes memory data) internal returns (address pointer) {
        if (data.length <= PAGE_BYTES_MAX) return _create(LEAF, data);
        if (data.length > BYTES_MAX) revert CodeStorageTooLong(data.length);
        bytes memory index;
        for (uint256 from; from < data.length; from += PAGE_BYTES_MAX) {
            uint256 left = data.length - from;
            uint256 length = left < PAGE_BYTES_MAX ? left : PAGE_BYTES_MAX;
            index = abi.encodePacked(index, _create(LEAF, _slice(data, from, length)));
        }
        return _create(INDEX, index);
    }

    /// @notice What was written.
    function read(address pointer) internal view returns (bytes memory data) {
        bytes1 kind;
        (kind, data) = _page(pointer);
        if (kind == LEAF) return data;
        bytes memory index = data;
        data = "";
        for (uint256 at = 20; at <= index.length; at += 20) {
            address leaf;
            assembly ("memory-safe") {
                leaf := shr(96, mload(add(add(index, 0x0c), at)))
            }
            (, bytes memory part) = _page(leaf);
            data = bytes.concat(data, part);
        }
    }

    /// @dev The creation code copies what follows it: PUSH2 size DUP1 PUSH1 10 0 CODECOPY 0 RETURN.
    function _create(bytes1 kind, bytes memory content) private returns (address page) {
        uint16 size = uint16(HEAD_BYTES + content.length);
        bytes memory code =
            abi.encodePacked(hex"61", size, hex"80600a3d393df3", bytes1(0x00), kind, content);
        assembly ("memory-safe") {
            page := create(0, add(code, 0x20), mload(code))
        }
        if (page == address(0)) revert CodeStorageNotWritten();
    }

    function _page(address pointer) private view returns (bytes1 kind, bytes memory content) {
        uint256 size = pointer.code.length;
        if (size < HEAD_BYTES) revert CodeStorageUnknown(pointer);
        content = new bytes(size - HEAD_BYTES);
        bytes32 head;
        assembly ("memory-safe") {
            extcodecopy(pointer, add(content, 0x20), HEAD_BYTES, sub(size, HEAD_BYTES))
            extcodecopy(pointer, 0x00, 0, HEAD_BYTES)
            head := mload(0x00)
        }
        kind = head[1];
        if (head[0] != 0 || kind > INDEX) revert CodeStorageUnknown(pointer);
    }

    function _slice(bytes memory data, uint256 from, uint256 length)
        private
        pure
        returns (bytes memory part)
    {
        part = new bytes(length);
        // The word that ends past the slice is cut by the bytes' length; its rest is free memory or zero.
        for (uint256 at; at < length; at += 32) {
            assembly ("memory-safe") {
                mstore(add(add(part, 0x20), at), mload(add(add(add(data, 0x20), from), at)))
            }
        }
    }
}
