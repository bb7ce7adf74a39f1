// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../interfaces/IModel.sol";
import {Centroids} from "./Centroids.sol";

/// @title NearestCentroid
/// @notice The label whose samples' mean is nearest. A label without samples is never predicted; if
/// none has any it is 0. How samples and states are written: see `Centroids`.
/// @dev Answers to a contribution that makes the model agree with itself. Not to samples far away from
/// all others, which pull a mean as far as 16 bits reach, nor to many that agree with each other.
contract NearestCentroid is Centroids {
    /// @param classes_ 2 to 255.
    /// @param features_ 1 to 65,535 values.
    /// @param encoder_ What makes the values of data.
    constructor(uint256 classes_, uint256 features_, string memory encoder_)
        Centroids(classes_, features_, 2, encoder_)
    {}

    /// @inheritdoc IModel
    /// @dev Exactly the model that had not learnt the sample, unless a sum was full.
    function agrees(bytes calldata x, uint256 label, uint64 memo) external view returns (bool) {
        Rows memory rows = _stored();
        _checkLabel(rows.classes, label);
        (uint256 found,) = _nearest(rows, x, memo == 0 ? NEVER : label);
        return found == label;
    }

    /// @inheritdoc Centroids
    function _headerLanes() internal pure override returns (uint256) {
        return 2;
    }

    /// @inheritdoc Centroids
    /// @dev The memo is 1: the sample and its label say the rest.
    function _changes(Rows memory rows, bytes calldata x, uint256 label)
        internal
        view
        override
        returns (uint64 memo, uint256 at, uint256[] memory words)
    {
        _checkLabel(rows.classes, label);
        (at, words) = _addSample(rows, x, label);
        memo = 1;
    }
}
