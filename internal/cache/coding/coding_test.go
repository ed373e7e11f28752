package coding

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/seawall/seawall/httpcache"
)

var codings = []httpcache.Coding{httpcache.Gzip, httpcache.Brotli, httpcache.Zstd}

// page is text that compresses as a web page does, more or less.
func page(size int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 500)
	for i := range words {
		words[i] = strings.Repeat(string(rune('a'+random.IntN(26))), 1+random.IntN(3)) + fmt.Sprint(random.IntN(1000))
	}
	var b bytes.Buffer
	for b.Len() < size {
		fmt.Fprintf(&b, "<p class=%q>%s %s</p>\n", words[random.IntN(20)], words[random.IntN(500)], words[random.IntN(500)])
	}
	return b.Bytes()[:size]
}

// decode undoes a coding, gzip with the standard library.
func decode(t testing.TB, c httpcache.Coding, form []byte) []byte {
	t.Helper()
	r := decoder(t, c, bytes.NewReader(form))
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%v: %v", c, err)
	}
	return body
}

func encode(e *Encoders, c httpcache.Coding, l Level, body []byte) (form []byte, steps int) {
	j := e.Begin(c, l, body)
	for steps = 1; !j.Step(); steps++ {
	}
	return j.Form(), steps
}

func TestEncode(t *testing.T) {
	var e Encoders
	for _, size := range []int{1000, StepSize, 2*StepSize + 7} {
		for _, c := range codings {
			var sizes [levels]int
			for l := range levels {
				body := page(size)
				for range 2 { // the second time with the first one's encoder
					form, steps := encode(&e, c, l, body)
					if want := (size + StepSize - 1) / StepSize; steps != want {
						t.Errorf("%v level %d of %d bytes: got %d steps, want %d", c, l, size, steps, want)
					}
					if got := decode(t, c, form); !bytes.Equal(got, body) {
						t.Fatalf("%v level %d: %d bytes are decoded as %d others", c, l, size, len(got))
					}
					if cap(form) > len(form)*9/8 {
						t.Errorf("%v level %d: a form of %d bytes holds %d", c, l, len(form), cap(form))
					}
					sizes[l] = len(form)
				}
			}
			if size > StepSize && sizes[Hot] >= sizes[Fast] {
				t.Errorf("%v of %d bytes: %d at Hot, %d at Fast", c, size, sizes[Hot], sizes[Fast])
			}
		}
	}
}

// What does not compress is given up as soon as that shows.
func TestNotWorthIt(t *testing.T) {
	var e Encoders
	noise := make([]byte, 4*StepSize)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	for _, c := range codings {
		form, _ := encode(&e, c, Fast, noise)
		if form != nil {
			t.Errorf("%v: noise of %d bytes has a form of %d", c, len(noise), len(form))
		}
		if form, _ := encode(&e, c, Fast, []byte("x")); form != nil {
			t.Errorf("%v: one byte has a form of %d", c, len(form))
		}
		// An encoder that has failed is good for the next body.
		if form, _ := encode(&e, c, Fast, page(5000)); !bytes.Equal(decode(t, c, form), page(5000)) {
			t.Errorf("%v: a page after noise is broken", c)
		}
	}
}

func TestGivenUp(t *testing.T) {
	var e Encoders
	for _, c := range codings {
		j := e.Begin(c, Fast, page(3*StepSize))
		j.Step()
		j.End()
		j.End()
		if j.Form() != nil {
			t.Errorf("%v: half a body has a form", c)
		}
		if form, _ := encode(&e, c, Fast, page(5000)); !bytes.Equal(decode(t, c, form), page(5000)) {
			t.Errorf("%v: a page after half a body is broken", c)
		}
	}
}

func TestTogether(t *testing.T) {
	var e Encoders
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			body := page(30_000 + i)
			for _, c := range codings {
				if form, _ := encode(&e, c, Fast, body); !bytes.Equal(decode(t, c, form), body) {
					t.Errorf("%v: broken", c)
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkEncode(b *testing.B) {
	var e Encoders
	body := page(64 << 10)
	for _, c := range codings {
		for l := range levels {
			b.Run(fmt.Sprintf("%v/%d", c, l), func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				var n int
				for b.Loop() {
					form, _ := encode(&e, c, l, body)
					n = len(form)
				}
				b.ReportMetric(100*float64(n)/float64(len(body)), "%")
			})
		}
	}
}

// decoder decodes what it reads. It says at once what it has.
func decoder(t testing.TB, c httpcache.Coding, form io.Reader) io.Reader {
	t.Helper()
	switch c {
	case httpcache.Brotli:
		return brotli.NewReader(form)
	case httpcache.Zstd:
		d, err := zstd.NewReader(form, zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		return d
	}
	d, err := gzip.NewReader(form)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
