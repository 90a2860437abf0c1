internal import DeviceKit

/// Reads the end of a file of lines without reading the whole of it.
enum FileTail {
    static let chunkByteCount = 65_536
    /// A longer line is none of ours and is not remembered.
    private static let longestLine = 1_048_576

    /// Bytes up to and with the last line break; 0 when there is none.
    static func wholeLineByteCount(
        _ descriptor: Int32, _ path: String, byteCount: Int
    ) throws(SinkFault) -> Int {
        try offset(afterLineBreak: 1, fromTheEndOf: byteCount, descriptor, path)
    }

    /// Digests of the punches in the last `lineCount` lines. The file ends in a line break.
    static func lastLines(
        _ descriptor: Int32, _ path: String, _ format: PunchLine.Format, byteCount: Int, lineCount: Int
    ) throws(SinkFault) -> Set<LineDigest> {
        var offset = try offset(afterLineBreak: lineCount + 1, fromTheEndOf: byteCount, descriptor, path)
        var digests: Set<LineDigest> = []
        var line: [UInt8] = []
        while offset < byteCount {
            let chunk = try SystemCalls.read(
                min(chunkByteCount, byteCount - offset), at: offset, from: descriptor, path)
            guard !chunk.isEmpty else { break }
            offset += chunk.count
            for byte in chunk {
                if line.count < longestLine { line.append(byte) }
                guard byte == 0x0A else { continue }
                digests.insert(LineDigest(line, format))
                line.removeAll(keepingCapacity: true)
            }
        }
        return digests
    }

    /// The place after the `number`-th line break from the end; 0 when there are fewer.
    private static func offset(
        afterLineBreak number: Int, fromTheEndOf end: Int, _ descriptor: Int32, _ path: String
    ) throws(SinkFault) -> Int {
        var remaining = number
        var start = end
        while start > 0 {
            let count = min(chunkByteCount, start)
            start -= count
            let chunk = try SystemCalls.read(count, at: start, from: descriptor, path)
            for (index, byte) in chunk.enumerated().reversed() where byte == 0x0A {
                remaining -= 1
                if remaining == 0 { return start + index + 1 }
            }
        }
        return 0
    }
}
