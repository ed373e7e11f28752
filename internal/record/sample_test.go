package record

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// TestSample logs one in so many of the ordinary requests, which say so, and everything else; in memory and in the counts is everything.
func TestSample(t *testing.T) {
	const sample, each = 10, 40
	path := filepath.Join(t.TempDir(), "access.log")
	r, p := loggingAs(t, spec.Log{Path: path, Sample: sample, Ring: 8 << 20}, new(bytes.Buffer))
	always := []func(*flow.Flow){
		func(f *flow.Flow) { *f = *refused(&flow.Refusal{Reason: flow.RequestLimit, Status: 429}) },
		func(f *flow.Flow) { f.Verdict.Dry = []string{"limits.requests"} },
		func(f *flow.Flow) { f.Response.Err = errors.New("client gone") },
		func(f *flow.Flow) { f.Response.Status = 500 },
	}
	ordinary := []func(*flow.Flow){
		func(*flow.Flow) {},
		func(f *flow.Flow) { f.Response.Status = 404 },
		func(f *flow.Flow) { // served from the cache instead of a refusal
			f.Cache.Status, f.Admission.Refusal = flow.Stale, &flow.Refusal{Reason: flow.QueueTimeout, Status: 503}
		},
	}
	kinds := append(slices.Clip(always), ordinary...)
	n := each * len(kinds)
	for i := range n {
		f := hit()
		kinds[i%len(kinds)](f)
		f.Request.ID = idOf(uint32(i))
		p.Add(f)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}

	var want []string // what memory says is in the log
	sampled := 0
	for i, id := range ids(0, n) {
		line, ok := r.Find(id)
		if !ok {
			t.Fatalf("flow %d is not in memory", i)
		}
		e, err := Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		inLog := !bytes.HasSuffix(line, bytes.TrimSuffix(notSampled, newline))
		if i%len(kinds) < len(always) {
			if e.Sample != 0 || !inLog {
				t.Errorf("kind %d: got sample %d, in the log: %t, want it there without one", i%len(kinds), e.Sample, inLog)
			}
		} else if inLog {
			sampled++
			if e.Sample != sample {
				t.Errorf("kind %d: got sample %d, want %d", i%len(kinds), e.Sample, sample)
			}
		}
		if inLog {
			want = append(want, id)
		}
	}
	if diff := cmp.Diff(want, logged(t, path)); diff != "" {
		t.Errorf("the log: -want +got:\n%s", diff)
	}
	if expected := each * len(ordinary) / sample; sampled < expected/2 || sampled > 2*expected {
		t.Errorf("sampled: got %d, want about %d", sampled, expected)
	}
	if got := p.Counts().Requests; got != int64(n) {
		t.Errorf("counted: got %d, want %d", got, n)
	}
}

// TestSampleIsFair draws from ids as generators make them: one after the other, of several shards, in the same or in different milliseconds.
func TestSampleIsFair(t *testing.T) {
	const draws = 30_000
	for _, sample := range []uint64{2, 10, 100} {
		r := &Room{sample: sample}
		for _, step := range []uint32{1, 10, 1 << 30} {
			drawn, streak, longest := 0, 0, 0
			for i := range uint32(draws) {
				id := idOf(i*step + i/3)
				id[5] += byte(i / 1000)
				streak++
				if !bytes.Equal(r.appendSample(nil, &id), notSampled[:len(notSampled)-2]) {
					drawn++
					streak = 0
				}
				longest = max(longest, streak)
			}
			want := draws / int(sample)
			if drawn < want*8/10 || drawn > want*12/10 {
				t.Errorf("one in %d, ids %d apart: got %d, want about %d", sample, step, drawn, want)
			}
			if most := 20 * int(sample); longest > most {
				t.Errorf("one in %d, ids %d apart: none of %d, want one of %d", sample, step, longest, most)
			}
		}
	}
}
