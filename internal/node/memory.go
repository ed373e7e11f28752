package node

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
)

// headroom, and what is live and may have pointers, is by how much the heap grows until the collector runs. A cycle costs what it has to
// look through: a cache's bodies, which have no pointers, cost none, and need not leave room for as much garbage.
const headroom = 16 << 20

// collector sets the pace of the garbage collector anew after each of its cycles.
type collector struct{ sample []metrics.Sample }

// paceCollector begins that, unless the operator has said otherwise (GOGC), and bounds memory by what the machine has (GOMEMLIMIT).
func paceCollector() {
	if os.Getenv("GOMEMLIMIT") == "" {
		if limit := machineMemory("/proc/meminfo", "/sys/fs/cgroup/memory.max"); limit > 0 {
			debug.SetMemoryLimit(limit / 10 * 9)
		}
	}
	if os.Getenv("GOGC") == "" {
		c := &collector{sample: []metrics.Sample{
			{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}, {Name: "/gc/scan/heap:bytes"},
		}}
		c.cycle(new(sentinel))
	}
}

// sentinel is what each cycle of the collector finds dead. It is as large as it has to be not to share its place with others.
type sentinel [64]byte

// cycle sets the pace, and does so again when the collector has found the sentinel dead.
func (c *collector) cycle(s *sentinel) {
	metrics.Read(c.sample)
	live, stacks, globals, scanned := c.sample[0].Value.Uint64(), c.sample[1].Value.Uint64(), c.sample[2].Value.Uint64(), c.sample[3].Value.Uint64()
	debug.SetGCPercent(percent(live+stacks+globals, stacks+globals+scanned))
	runtime.AddCleanup(s, func(c *collector) { c.cycle(new(sentinel)) }, c)
}

// percent is the pace, as the runtime takes it, for what is live, and of that may have pointers, in bytes. The runtime's least heap, of
// 4 MiB at 100, grows with it.
func percent(live, scanned uint64) int {
	live = max(live, 4<<20)
	return int(((headroom+scanned)*100 + live - 1) / live) // 0 would be a cycle without an end
}

// machineMemory is how many bytes the machine has, or the control group that the process is in; 0 if neither is known.
func machineMemory(meminfo, group string) int64 {
	limit := int64(math.MaxInt64)
	if text, err := os.ReadFile(meminfo); err == nil {
		if _, rest, ok := strings.Cut(string(text), "MemTotal:"); ok {
			if fields := strings.Fields(rest); len(fields) > 0 {
				if kib, err := strconv.ParseInt(fields[0], 10, 64); err == nil && kib < math.MaxInt64>>10 {
					limit = kib << 10
				}
			}
		}
	}
	if text, err := os.ReadFile(group); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 {
			limit = min(limit, n)
		}
	}
	if limit == math.MaxInt64 {
		return 0
	}
	return limit
}
