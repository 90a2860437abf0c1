import DeviceKit
import YAML

/// A configuration file: a tree or positioned problems.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzYAML(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let reading = YAMLReader.read(bytes: bytes, file: "fuzz.yaml")
    precondition(reading.root != nil || !reading.diagnostics.isEmpty)
    for diagnostic in reading.diagnostics {
        precondition(diagnostic.mark.line == 0 || diagnostic.mark.column >= 1)
        precondition(!diagnostic.description.isEmpty)
    }
    return 0
}
