package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// echo answers each message with itself, and a connection that says "bye" with a close.
func echo(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		return
	}
	defer ws.CloseNow()
	ws.SetReadLimit(1 << 20)
	for {
		kind, message, err := ws.Read(r.Context())
		if err != nil {
			return
		}
		if string(message) == "bye" {
			ws.Close(websocket.StatusNormalClosure, "bye")
			return
		}
		if string(message) == "ping" {
			go ws.Ping(r.Context()) // its pong comes with the next read
		}
		if ws.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

func TestWebSocket(t *testing.T) {
	for _, name := range []string{"chrome", "firefox", "safari", "go"} {
		server := httptest.NewTLSServer(http.HandlerFunc(echo))
		defer server.Close()
		s, err := Named(name, newRand(1))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		ws, err := dial(t, dialerTo(t, server.URL), s.WithoutHTTP2()).WebSocket(ctx, &Request{Path: "/live"})
		if err != nil {
			t.Fatal(name, err)
		}
		for _, text := range []string{"hello", "", strings.Repeat("x", 200), "ping", strings.Repeat("y", maxMessage)} {
			if err := ws.Send(ctx, []byte(text)); err != nil {
				t.Fatal(name, err)
			}
			if got, err := ws.Receive(ctx); err != nil || string(got) != text {
				t.Errorf("%s: got %d bytes, %v, want %d", name, len(got), err, len(text))
			}
		}
		if err := ws.Send(ctx, []byte("bye")); err != nil {
			t.Error(name, err)
		}
		if _, err := ws.Receive(ctx); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: got %v, want %v", name, err, ErrClosed)
		}
		if err := ws.Send(ctx, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: sends after the close: %v", name, err)
		}
	}
}

func TestWebSocketRefused(t *testing.T) {
	d := site(t, false)
	_, err := dial(t, d, Browser(newRand(1))).WebSocket(t.Context(), &Request{Path: "/"})
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Response.Status != 200 {
		t.Errorf("got %v, want a refusal with 200", err)
	}
	h2 := dial(t, site(t, true), Browser(newRand(1)))
	if _, err := h2.WebSocket(t.Context(), &Request{Path: "/"}); !errors.Is(err, errNotHTTP1) {
		t.Errorf("over HTTP/2: %v, want %v", err, errNotHTTP1)
	}
}

func TestFrames(t *testing.T) {
	long := strings.Repeat("x", maxMessage)
	tests := []struct {
		name, in string
		want     string
		err      error
	}{
		{"text", "\x81\x02hi", "hi", nil},
		{"binary", "\x82\x02hi", "hi", nil},
		{"fragments with a ping between", "\x01\x01h\x89\x01p\x80\x01i", "hi", nil},
		{"long", "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + long, long, nil},
		{"pong, then text", "\x8a\x00\x81\x00", "", nil},
		{"close", "\x88\x02\x03\xe8", "", ErrClosed},
		{"end", "", "", io.ErrUnexpectedEOF},
		{"half a frame", "\x81\x02h", "", io.ErrUnexpectedEOF},
		{"masked", "\x81\x82abcdhi", "", ErrMalformed},
		{"reserved", "\xc1\x02hi", "", ErrMalformed},
		{"opcode", "\x83\x00", "", ErrMalformed},
		{"control opcode", "\x8b\x00", "", ErrMalformed},
		{"nothing continued", "\x80\x01h", "", ErrMalformed},
		{"text in text", "\x01\x01h\x81\x01i", "", ErrMalformed},
		{"long ping", "\x89\x7e\x00\x80" + long[:128], "", ErrMalformed},
		{"ping in parts", "\x09\x01p", "", ErrMalformed},
		{"too long", "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x01", "", ErrMalformed},
		{"too long in parts", "\x01\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + long + "\x80\x01x", "", ErrMalformed},
		{"endless", "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "", ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ws := &WebSocket{conn: hearing([]byte(tt.in))}
			got, err := ws.Receive(t.Context())
			if !errors.Is(err, tt.err) || string(got) != tt.want {
				t.Errorf("got %.20q, %v, want %.20q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

// Whatever a server sends, messages keep to their bound and the reading ends.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x01\x01h\x89\x01p\x80\x01i"))
	f.Add([]byte("\x82\x7e\x00\x80" + strings.Repeat("x", 128)))
	f.Add([]byte("\x88\x02\x03\xe8"))
	f.Fuzz(func(t *testing.T, in []byte) {
		ws := &WebSocket{conn: hearing(in)}
		for {
			message, err := ws.Receive(t.Context())
			if err != nil {
				return
			}
			if len(message) > maxMessage {
				t.Fatalf("message of %d bytes", len(message))
			}
		}
	})
}

// The client's own frames are masked, and as long as they say.
func TestSent(t *testing.T) {
	for _, n := range []int{0, 125, 126, 65535, 65536} {
		c := hearing(nil)
		ws := &WebSocket{conn: c}
		text := bytes.Repeat([]byte("z"), n)
		if err := ws.Send(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		out := c.link.Conn.(*talk).out.Bytes()
		br := bufio.NewReader(bytes.NewReader(out))
		head := 2
		if n > 125 {
			head = 4
		}
		if n > 65535 {
			head = 10
		}
		if out[0] != 0x81 || out[1]&0x80 == 0 || len(out) != head+4+n {
			t.Errorf("%d bytes: frame of %d begins %#x", n, len(out), out[:2])
		}
		br.Discard(head)
		var mask [4]byte
		io.ReadFull(br, mask[:])
		masked, _ := io.ReadAll(br)
		for i := range masked {
			masked[i] ^= mask[i%4]
		}
		if !bytes.Equal(masked, text) {
			t.Errorf("%d bytes: unmask to something else", n)
		}
	}
}
