// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

import {IModel} from "../interfaces/IModel.sol";
import {Centroids} from "./Centroids.sol";

/// @title KMeans
/// @notice Clusters of samples without labels (the online k-means of MacQueen, 1967), and how much of an
/// outlier a sample is. A sample's label is 0; it moves the mean of the nearest cluster, and that
/// cluster's R grows by `e`, the squared distance it had (whole, at most 2^56 - 1). `outlierScore` is
/// `floor(2^16 * e * n / max(R, 1))`: the distance over the cluster's mean distance. The model agrees
/// with a sample whose score, without its own part, is at most `limit`. How samples and states are
/// written: see `Centroids`. The clusters (n, R and S of each) are loaded before anything is learnt.
/// @dev Answers to samples that belong nowhere and would drag a mean away. Not to many that build a
/// cluster of their own.
contract KMeans is Centroids {
    uint256 private constant SPREAD_SHIFT = 96;
    uint256 private constant AWAY_MAX = type(uint56).max;
    uint256 private constant SCORE_BITS = 16;

    /// @notice The highest outlier score that the model agrees with, times 2^16.
    uint256 public immutable limit;

    /// @param clusters 1 to 255.
    /// @param features_ 1 to 65,535 values.
    /// @param limit_ See `limit`; 0 means 4 * 2^16, four times the mean distance.
    /// @param encoder_ What makes the values of data.
    constructor(uint256 clusters, uint256 features_, uint256 limit_, string memory encoder_)
        Centroids(clusters, features_, 1, encoder_)
    {
        limit = limit_ == 0 ? 4 << SCORE_BITS : limit_;
    }

    /// @notice The distance of a sample to its cluster's mean over the mean distance there, times 2^16.
    function outlierScore(bytes calldata x) external view returns (uint256 score) {
        Rows memory rows = _stored();
        (uint256 cluster, uint256 distance) = _nearest(rows, x, NEVER);
        if (distance == NEVER) revert ModelBadState();
        (uint256 samples, uint256 spread) = _totals(rows, cluster);
        return _score(distance, samples, spread);
    }

    /// @notice How many samples a cluster has, and the sum of the squared distances that they had.
    function totalsOf(uint256 cluster) external view returns (uint256 samples, uint256 spread) {
        Rows memory rows = _stored();
        _checkLabel(rows.classes, cluster);
        return _totals(rows, cluster);
    }

    /// @inheritdoc IModel
    /// @dev The sample stays in the cluster that it once joined: if that has no others, it is an outlier.
    function agrees(bytes calldata x, uint256 label, uint64 memo) external view returns (bool) {
        Rows memory rows = _stored();
        _checkLabel(1, label);
        uint256 cluster;
        uint256 distance;
        uint256 samples;
        uint256 spread;
        if (memo == 0) {
            (cluster, distance) = _nearest(rows, x, NEVER);
            (samples, spread) = _totals(rows, cluster);
        } else {
            cluster = uint8(memo);
            if (cluster == 0 || cluster > rows.classes) return false;
            --cluster;
            _checkValues(rows, x);
            distance = _distance(rows, x, cluster, true);
            (samples, spread) = _totals(rows, cluster);
            if (samples != 0) --samples;
            spread = spread > memo >> 8 ? spread - (memo >> 8) : 0;
        }
        return distance != NEVER && _score(distance, samples, spread) <= limit;
    }

    /// @inheritdoc Centroids
    function _headerLanes() internal pure override returns (uint256) {
        return 5;
    }

    /// @inheritdoc Centroids
    /// @dev The memo is e * 2^8 + cluster + 1.
    function _changes(Rows memory rows, bytes calldata x, uint256 label)
        internal
        view
        override
        returns (uint64 memo, uint256 at, uint256[] memory words)
    {
        _checkLabel(1, label);
        (uint256 cluster, uint256 distance) = _nearest(rows, x, NEVER);
        if (distance == NEVER) revert ModelBadState();
        uint256 away = _away(distance);
        (at, words) = _addSample(rows, x, cluster);
        uint256 spread = uint96(words[0] >> SPREAD_SHIFT);
        // At most 2^32 samples of 56 bits each.
        words[0] ^= (spread ^ uint96(spread + away)) << SPREAD_SHIFT;
        memo = uint64((away << 8) | (cluster + 1));
    }

    function _score(uint256 distance, uint256 samples, uint256 spread)
        private
        pure
        returns (uint256)
    {
        return (_away(distance) * samples << SCORE_BITS) / (spread == 0 ? 1 : spread);
    }

    /// @dev A squared distance in whole units.
    function _away(uint256 distance) private pure returns (uint256) {
        uint256 away = distance >> 32;
        return away < AWAY_MAX ? away : AWAY_MAX;
    }

    function _totals(Rows memory rows, uint256 cluster)
        private
        view
        returns (uint256 samples, uint256 spread)
    {
        uint256 word = _read(rows, _rowAt(rows, cluster));
        return (_samples(word), uint96(word >> SPREAD_SHIFT));
    }
}
