package main

import (
	"math"
	"math/rand/v2"
	"slices"
)

const (
	traceObjects  = 40_000 // that popularity is spread over
	traceRequests = 60_000
	traceSize     = 16 << 10 // bytes of an object, or the median
	traceSpread   = 1.0      // of the logarithms of sizes: a standard deviation
	traceSteps    = 64       // sizes that differ
	wonders       = 0.3      // of the requests are for what is asked for only once
	scanEvery     = 10_000   // requests
	scanLength    = 2_000    // of these are a scan, through
	scanObjects   = 10_000   // objects, from where the last one stopped
)

// A trace is requests for objects, the same every time.
type trace struct {
	name     string
	skew     float64 // of the objects' popularity (Zipf)
	polluted bool    // by wonders
	scanned  bool
	various  bool // in their sizes, which are log-normal
}

// traces are what is played.
func traces() (all []trace) {
	for _, t := range []trace{
		{name: "zipf-0.8", skew: 0.8},
		{name: "zipf-0.9", skew: 0.9},
		{name: "zipf-1.0", skew: 1.0},
		{name: "zipf-1.1", skew: 1.1},
		{name: "wonders", skew: 0.9, polluted: true},
		{name: "scans", skew: 0.9, scanned: true},
	} {
		all = append(all, t)
		t.name, t.various = t.name+"-sizes", true
		all = append(all, t)
	}
	return all
}

// A traced is one request of a trace.
type traced struct{ object, size int }

// requests are what is asked for, one after the other.
func (t trace) requests() []traced {
	random := rand.New(rand.NewPCG(uint64(t.skew*10), 1))
	popular := newZipf(t.skew, traceObjects)
	names := random.Perm(traceObjects) // so that nothing follows from an object's number
	once, scan := traceObjects+scanObjects, 0
	all := make([]traced, traceRequests)
	for i := range all {
		var object int
		switch {
		case t.scanned && i%scanEvery >= scanEvery-scanLength:
			object = traceObjects + scan%scanObjects
			scan++
		case t.polluted && random.Float64() < wonders:
			object = once
			once++
		default:
			object = names[popular.draw(random)]
		}
		all[i] = traced{object, traceSize}
	}
	if t.various {
		sizes := stepSizes()
		for i := range all {
			all[i].size = sizes[rand.New(rand.NewPCG(uint64(all[i].object), 2)).IntN(traceSteps)]
		}
	}
	return all
}

// stepSizes are as many sizes as there are steps, as a log-normal distribution has them, in multiples of 8 bytes.
func stepSizes() []int {
	sizes := make([]int, traceSteps)
	for i := range sizes {
		quantile := (float64(i) + 0.5) / traceSteps
		sizes[i] = int(traceSize*math.Exp(traceSpread*math.Sqrt2*math.Erfinv(2*quantile-1))) &^ 7
	}
	return sizes
}

// A zipf gives number n, from 0, a chance in proportion to 1/(n+1)^skew. (That of math/rand wants a skew above 1.)
type zipf []float64 // the chance of all numbers up to each

func newZipf(skew float64, n int) zipf {
	z := make(zipf, n)
	sum := 0.0
	for i := range z {
		sum += math.Pow(float64(i+1), -skew)
		z[i] = sum
	}
	return z
}

func (z zipf) draw(random *rand.Rand) int {
	i, _ := slices.BinarySearch(z, random.Float64()*z[len(z)-1])
	return min(i, len(z)-1)
}
