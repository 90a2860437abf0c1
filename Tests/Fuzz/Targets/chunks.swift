/// Chunks of bulk data over TCP and UDP: frames in any number and order are the set that was sent, or less.
/// `ChunkScript` of the tests says what is held to.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzChunks(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let violation = ChunkScript(Array(UnsafeBufferPointer(start: start, count: count))).violation()
    precondition(violation == nil, violation ?? "")
    return 0
}
