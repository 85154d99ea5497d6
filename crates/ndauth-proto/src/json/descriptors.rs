//! The descriptors of the contract.

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

use crate::DESCRIPTOR;

/// Returns the descriptors of the contract.
pub fn descriptors() -> &'static DescriptorPool {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
        DescriptorPool::decode(DESCRIPTOR).expect("the descriptors are generated from the contract")
    });
    &POOL
}
