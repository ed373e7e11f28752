package drill

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
)

// enterAny is the errand of an event's entry, whatever is there.
func (v *visitor) enterAny(target string) errand {
	v.at = v.event.Referer
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return v.look(target, "") // the scenario's own mistake shows in the score
	}
	if r := v.content.Resource(u.Path); r != nil {
		if !v.role.window {
			return v.one(v.get(r, target))
		}
		return v.open(r, target)
	}
	if v.content.Others {
		return v.look(target, "")
	}
	query := u.Query()
	switch u.Path {
	case site.SearchPath:
		return v.look(target, site.ResultsFor(query.Get("q")))
	case site.TicketsPath:
		return v.look(target, v.content.Shows[0])
	case site.LoginPath:
		return v.signIn()
	case site.ReportPath:
		return v.reportOf(query.Get("month"))
	case site.TidesPath, site.InboxPath, site.HookPath, site.HealthPath, site.LivePath, site.SitemapPath:
		return v.role.next(v, 0)
	}
	return v.look(target, "")
}

// one is an errand of a single request.
func (v *visitor) one(q ask) errand {
	return errand{path: q.path, do: func(ctx context.Context) error { return v.agent.fetch(ctx, q) }}
}

// poll asks for the feed.
func (v *visitor) poll(int) errand { return v.one(v.get(v.content.Feed, v.content.Feed.Path)) }

// call asks the API for a station.
func (v *visitor) call(int) errand {
	station := v.rng.IntN(site.Stations)
	return v.one(ask{
		method: http.MethodGet, path: site.TidesPath + "?station=" + strconv.Itoa(station), contains: site.TidesAt(station),
		fields: []wire.Field{v.token()},
	})
}

// token is what a client of the API or app signs in with.
func (v *visitor) token() wire.Field {
	return wire.Field{Name: "Authorization", Value: "Bearer " + site.TokenOf(v.user)}
}

// clone clones the repository or, as often, looks whether there is something new, and there is not.
func (v *visitor) clone(int) errand {
	steps := v.content.Repository.Clone()
	if v.rng.IntN(2) == 0 {
		steps = steps[:len(steps)-1]
	}
	return errand{path: steps[0].Target, do: func(ctx context.Context) error {
		for _, s := range steps {
			q := ask{method: s.Method, path: s.Target, body: s.Body, want: s.Want}
			if s.ContentType != "" {
				q.fields = append(q.fields, wire.Field{Name: "Content-Type", Value: s.ContentType})
			}
			q.fields = append(q.fields, wire.Field{Name: "Accept", Value: s.Accept}, wire.Field{Name: "Git-Protocol", Value: "version=2"})
			if err := v.agent.fetch(ctx, q); err != nil {
				return err
			}
		}
		return nil
	}}
}

// crawl reads the rules, then the map, then articles in an order of its own.
func (v *visitor) crawl(n int) errand {
	if v.order == nil {
		v.order = v.rng.Perm(len(v.content.Articles))
	}
	switch n {
	case 0:
		return v.one(v.get(v.content.Robots, v.content.Robots.Path))
	case 1:
		return v.one(ask{
			method: http.MethodGet, path: site.SitemapPath, want: v.content.Sitemap(v.agent.target.Host),
		})
	}
	r := v.content.Articles[v.order[(n-2)%len(v.order)]]
	return v.one(v.get(r, r.Path))
}

// notify reports a payment, signed.
func (v *visitor) notify(int) errand {
	body := fmt.Appendf(nil, `{"event":"payment.settled","id":"pay_%012x","amount":%d,"currency":"EUR"}`,
		v.rng.Uint64N(1<<48), 100+v.rng.IntN(20000))
	return v.one(ask{
		method: http.MethodPost, path: site.HookPath, body: body, status: http.StatusNoContent,
		fields: []wire.Field{
			{Name: "Content-Type", Value: "application/json"}, {Name: site.SignatureField, Value: site.SignHook(body)},
		},
	})
}

// probe asks whether the site is well.
func (v *visitor) probe(int) errand {
	return v.one(ask{method: http.MethodGet, path: site.HealthPath, contains: site.Healthy})
}

// download fetches the big file; every other time the connection breaks on the way, and the rest is asked for (RFC 9110 §14).
func (v *visitor) download(int) errand {
	r := v.content.Download
	whole := v.get(r, r.Path)
	if v.rng.IntN(2) == 0 {
		return v.one(whole)
	}
	first, rest := whole, whole
	first.upTo = len(r.Body)/4 + v.rng.IntN(len(r.Body)/2)
	rest.from = first.upTo
	rest.fields = append(rest.fields,
		wire.Field{Name: "Range", Value: fmt.Sprintf("bytes=%d-", rest.from)}, wire.Field{Name: "If-Range", Value: r.ETag})
	return errand{path: r.Path, do: func(ctx context.Context) error {
		if err := v.agent.fetch(ctx, first); err != nil {
			return err
		}
		return v.agent.fetch(ctx, rest)
	}}
}

// backUp fetches everything there is, one after another.
func (v *visitor) backUp(n int) errand {
	all := v.content.Resources()
	r := all[n%len(all)]
	return v.one(v.get(r, r.Path))
}

// preview looks at a page that somebody has put into a chat, and at its picture.
func (v *visitor) preview(int) errand { return v.previewOf(v.popular().Path) }

func (v *visitor) previewOf(target string) errand {
	path, _, _ := strings.Cut(target, "?")
	r := v.content.Resource(path)
	if r == nil {
		return v.enterAny(target)
	}
	return errand{path: target, do: func(ctx context.Context) error {
		if err := v.agent.fetch(ctx, v.get(r, target)); err != nil || len(r.Assets) == 0 {
			return err
		}
		picture := r.Assets[len(r.Assets)-1]
		return v.agent.fetch(ctx, v.get(picture, picture.Path))
	}}
}

// inbox is what an app asks for when it wakes up. Who is not signed in gets 401, and that is right.
func (v *visitor) inbox(int) errand {
	q := ask{method: http.MethodGet, path: site.InboxPath, status: http.StatusUnauthorized, contains: "no token"}
	if v.event != nil && v.event.SignedIn {
		q.status, q.contains, q.fields = 0, site.InboxOf(v.user), []wire.Field{v.token()}
	}
	return v.one(q)
}
