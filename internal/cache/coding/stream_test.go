package coding

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seawall/seawall/httpcache"
)

// Each piece can be decoded as soon as it has come out, and all of them together are the body. Encoders are used again.
func TestStream(t *testing.T) {
	var e Encoders
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []httpcache.Coding{httpcache.Gzip, httpcache.Brotli, httpcache.Zstd} {
		for round := range 3 {
			t.Run(fmt.Sprint(c, round), func(t *testing.T) {
				s := e.Stream(c)
				defer s.End()
				var want, coded bytes.Buffer
				for i := range 20 {
					piece := []byte(strings.Repeat(fmt.Sprintf("<li>entry %d</li>", r.IntN(100)), r.IntN(3000)))
					want.Write(piece)
					out, err := s.Code(piece, i == 19)
					if err != nil {
						t.Fatal(err)
					}
					coded.Write(out)
					got := make([]byte, want.Len())
					if _, err := io.ReadFull(decoder(t, c, bytes.NewReader(coded.Bytes())), got); err != nil || !bytes.Equal(got, want.Bytes()) {
						t.Fatalf("after piece %d: %v, or another body, want what was put in", i, err)
					}
				}
				if coded.Len() > want.Len()/5 {
					t.Errorf("%d bytes became %d, want a fifth at most", want.Len(), coded.Len())
				}
				if all, err := io.ReadAll(decoder(t, c, &coded)); err != nil || !bytes.Equal(all, want.Bytes()) {
					t.Errorf("whole: got %d bytes, %v, want %d", len(all), err, want.Len())
				}
			})
		}
	}
}

// What is given up leaves nothing of itself in the encoder.
func TestStreamEnd(t *testing.T) {
	var e Encoders
	first := e.Stream(httpcache.Gzip)
	if _, err := first.Code([]byte("secret"), false); err != nil {
		t.Fatal(err)
	}
	first.End()
	first.End()
	second := e.Stream(httpcache.Gzip)
	out, err := second.Code([]byte("page"), true)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(decoder(t, httpcache.Gzip, bytes.NewReader(out))); string(got) != "page" || err != nil {
		t.Errorf("got %q, %v, want the page", got, err)
	}
}

func BenchmarkStream(b *testing.B) {
	piece := []byte(strings.Repeat("<li class=entry><a href=/articles/7919>Article 7919</a> of 28 May</li>", 500))[:32<<10]
	for _, c := range []httpcache.Coding{httpcache.Gzip, httpcache.Brotli, httpcache.Zstd} {
		b.Run(c.String(), func(b *testing.B) {
			var e Encoders
			s := e.Stream(c)
			defer s.End()
			b.ReportAllocs()
			b.SetBytes(int64(len(piece)))
			for b.Loop() {
				if _, err := s.Code(piece, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
