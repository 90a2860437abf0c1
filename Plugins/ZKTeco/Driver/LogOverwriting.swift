internal import DeviceKit

extension LogInventory {
    /// Terminals can be set to delete up to so many of their oldest records at once when the log is full ("cyclic
    /// delete" in the vendor's manuals). Not verified on hardware.
    private static let largestDeletion = 999

    /// A log of so many records may have lost its oldest ones to newer ones, so that its count says nothing: it is full,
    /// or was a moment ago, or nobody knows what it can hold.
    func mayHaveOverwritten(recordCount: Int) -> Bool {
        guard let capacity = recordCapacity, capacity > 0 else { return true }
        return recordCount >= capacity - Swift.min(Self.largestDeletion, capacity / 10)
    }
}
