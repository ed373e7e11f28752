package drill

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
)

// talk says something over a WebSocket and hears it again. Who is not connected, because they came just now or were dropped,
// connects first and is greeted. A drop shows when somebody talks, and that step has failed, however soon they connect again.
func (v *visitor) talk(int) errand {
	text := strings.Join(v.content.Words.Draw(v.rng, 6), " ")
	return errand{path: site.LivePath, do: func(ctx context.Context) error {
		connected := v.socket != nil
		err := v.tune(ctx)
		if err == nil {
			err = v.say(ctx, text)
		}
		if s, ok := errors.AsType[*severed](err); ok {
			s.lost = connected
		}
		if err != nil && v.socket != nil {
			_ = v.socket.Close()
			v.socket = nil
		}
		return err
	}}
}

func (v *visitor) talkAt(string) errand { return v.talk(0) }

// tune connects, if need be, and hears the greeting.
func (v *visitor) tune(ctx context.Context) error {
	if v.socket != nil {
		return nil
	}
	a := v.agent
	leave := a.truth.enter(a.source, http.MethodGet, site.LivePath, site.Visitor)
	defer leave()
	c, err := a.conns.dial(ctx)
	if err != nil {
		return &severed{before: true, err: err}
	}
	q := ask{method: http.MethodGet, path: site.LivePath}
	socket, err := c.WebSocket(ctx, a.request(&q))
	if err != nil {
		c.Abandon()
		return refusal(err)
	}
	v.socket = socket
	return v.hear(ctx, site.LiveGreeting)
}

// refusal makes what a visitor sees of a WebSocket that does not open.
func refusal(err error) error {
	if r, ok := errors.AsType[*wire.Refusal](err); ok {
		return &rebuff{status: r.Response.Status, retryAfter: r.Response.RetryAfter, what: site.LivePath + ": " + err.Error()}
	}
	return &severed{before: true, err: err}
}

func (v *visitor) say(ctx context.Context, text string) error {
	if err := v.socket.Send(ctx, []byte(text)); err != nil {
		return &severed{err: err}
	}
	return v.hear(ctx, text)
}

// hear expects a message.
func (v *visitor) hear(ctx context.Context, want string) error {
	got, err := v.socket.Receive(ctx)
	if err != nil {
		return &severed{err: err}
	}
	if string(got) != want {
		return &rebuff{status: 200, what: fmt.Sprintf("%s: a message of %d bytes is not the right one", site.LivePath, len(got))}
	}
	return nil
}
