// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// @title IModel
/// @notice A model that lives in a contract: it predicts for everybody and learns from one trainer.
/// @dev Arithmetic is in integers only, so that a reference elsewhere can agree in every bit. `x` is
/// always the encoded features of one sample, in the form that the model's own page describes; what
/// makes `x` of text or numbers is named by `encoder`. Labels are 0 to `classes() - 1`, ties go to the
/// lowest. WARNING: a model believes its trainer in everything: what may be learnt, what is loaded.
interface IModel {
    event Bound(address trainer);
    event Grown(uint256 classes, uint256 features);
    /// @dev Together with what the trainer logs this is enough to rebuild every state from events.
    event Loaded(uint256 first, bytes words);

    error ModelNotDeployer(address account);
    error ModelNotTrainer(address account);
    error ModelAlreadyBound(address trainer);
    error ModelBadParameter(bytes32 name);
    /// @dev `x`, or the words to load, do not have a length that the model takes.
    error ModelBadLength(uint256 length);
    error ModelNotAscending();
    error ModelUnknownFeature(uint256 feature);
    error ModelUnknownLabel(uint256 label);
    error ModelNoUpdates();
    /// @dev A state of other dimensions, or words beyond the end of the state.
    error ModelBadState();
    error ModelFull();

    /// @notice Who may bind the model, load it before that, and let it grow.
    function deployer() external view returns (address);

    /// @notice The contract that makes the model learn, or 0.
    function trainer() external view returns (address);

    /// @notice How many labels there are.
    function classes() external view returns (uint256);

    /// @notice How many features there are.
    function features() external view returns (uint256);

    /// @notice What makes features of data, such as `hashing(bits=10)`, `quantise(scale=256)` or
    /// `vocabulary(cid=..)`.
    function encoder() external view returns (string memory);

    /// @notice Names the trainer, once and for ever. Only the deployer.
    function bind(address trainer_) external;

    /// @notice The label that the model gives to a sample.
    function predict(bytes calldata x) external view returns (uint256 label);

    /// @notice Learns a sample, or an update of the model if the label is 65535 and the model takes
    /// such. Only the trainer.
    /// @return memo What `agrees` needs to take this contribution's influence out again.
    function learn(bytes calldata x, uint256 label) external returns (uint64 memo);

    /// @notice True if the model as it is now, but without the influence that this contribution had
    /// when it was learnt, predicts its label.
    /// @param memo What `learn` returned, or 0 for a contribution that was not learnt.
    function agrees(bytes calldata x, uint256 label, uint64 memo) external view returns (bool);

    /// @notice 64 bits of which similar samples share most.
    function sketch(bytes calldata x) external view returns (uint64);

    /// @notice The whole model: the 32-byte words of its storage in one order.
    function state() external view returns (bytes memory);

    /// @notice Overwrites words of the state, from number `first` on. Dimensions cannot be changed.
    /// The deployer before `bind`, the trainer after it (to roll back, or to recover).
    function load(uint256 first, bytes calldata words) external;

    /// @notice An older state, taken before the model grew, as a state of today's dimensions: what
    /// was added since is as if nothing had been learnt about it.
    function widen(bytes calldata older) external view returns (bytes memory);

    /// @notice Adds labels that nothing was learnt about. Only the deployer.
    function addClasses(uint256 count) external;

    /// @notice Adds features that nothing was learnt about. Only the deployer.
    function addFeatures(uint256 count) external;
}
