package record

import (
	"encoding/binary"
	"math/bits"
	"strconv"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/reqid"
)

// ordinary tells whether a request was served as it should be, so that one may stand for many.
func ordinary(f *flow.Flow) bool {
	return f.Response.Status < 500 && f.Response.Err == nil && len(f.Verdict.Dry) == 0 && refusal(f) == nil
}

// What stands before a line's sample, and the end of a line that is not in the sample: it is kept for explain only. No text that a client
// chose ends so, as it ends in a quote.
const sampleMark = `,"sample":`

var notSampled = []byte(sampleMark + "0}\n")

// appendSample writes for how many requests this one stands in the log, 0 if it is not there. The id alone decides, so that nodes and
// shards need not agree.
func (r *Room) appendSample(b []byte, id *reqid.ID) []byte {
	n := r.sample
	if hi, _ := bits.Mul64(mix(id), n); hi > 0 {
		n = 0
	}
	return strconv.AppendUint(append(b, sampleMark...), n, 10)
}

// mix makes high bits that depend on all of an id's last eight bytes, which mostly count up.
func mix(id *reqid.ID) uint64 {
	const odd = 0x9e37_79b9_7f4a_7c15 // 2^64 divided by the golden ratio
	x := binary.BigEndian.Uint64(id[4:]) * odd
	return (x ^ x>>32) * odd
}
