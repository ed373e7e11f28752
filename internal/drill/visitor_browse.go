package drill

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
)

// browse is an errand of somebody with a browser: mostly articles.
func (v *visitor) browse(n int) errand {
	if v.before == site.TicketsPath {
		return v.buy()
	}
	if n == 0 {
		return v.arrive()
	}
	if v.content.Others {
		return v.openPopular()
	}
	switch k := v.rng.IntN(40); {
	case k < 5:
		return v.open(v.content.Home, "/")
	case k < 11:
		return v.search()
	case k < 15:
		return v.signIn()
	case k < 17:
		return v.tickets()
	case k < 18:
		return v.report()
	}
	return v.openPopular()
}

// arrive is the first page: the front page, or an article that somebody links.
func (v *visitor) arrive() errand {
	k := v.rng.IntN(10)
	if k >= 4 {
		return v.open(v.content.Home, "/")
	}
	if v.at == "" {
		v.at = []string{"https://search.example/", "https://search.example/", "https://search.example/", "https://social.example/"}[k]
	}
	return v.openPopular()
}

// popular draws an article, the first ones more often.
func (v *visitor) popular() *site.Resource {
	u := v.rng.Float64()
	return v.content.Articles[int(u*u*float64(len(v.content.Articles)))]
}

func (v *visitor) openPopular() errand {
	r := v.popular()
	return v.open(r, r.Path)
}

// open loads a page under a target, which may have a query that the page ignores, and then what it shows.
func (v *visitor) open(r *site.Resource, target string) errand {
	return errand{path: target, do: func(ctx context.Context) error {
		q, at := v.get(r, target), v.agent.target.Origin()+target
		var err error
		if v.ahead[target] {
			err = v.agent.show(ctx, r.Assets, at)
		} else {
			err = v.agent.load(ctx, q, r.Assets, at)
		}
		if err == nil {
			v.reading(target)
		}
		return err
	}}
}

// reading remembers the page that is shown, and what its script does.
func (v *visitor) reading(path string) {
	v.at = v.agent.target.Origin() + path
	v.agent.consent()
}

// get asks for a resource, coming from the page being read.
func (v *visitor) get(r *site.Resource, target string) ask {
	return ask{method: http.MethodGet, path: target, fields: v.referer(), want: r.Body}
}

// referer is the field that says where a visitor comes from, if they came with a browser.
func (v *visitor) referer(more ...wire.Field) []wire.Field {
	if v.at != "" && v.role.cookies {
		return append(more, wire.Field{Name: "Referer", Value: v.at})
	}
	return more
}

// form posts a form from the page being read.
func (v *visitor) form(path, body, contains string) ask {
	return ask{
		method: http.MethodPost, path: path, body: []byte(body), contains: contains, page: true,
		fields: v.referer(wire.Field{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}),
	}
}

// page asks for a page that a program makes.
func (v *visitor) page(target, contains string) ask {
	return ask{method: http.MethodGet, path: target, fields: v.referer(), contains: contains, page: true}
}

// look is an errand of one page without more.
func (v *visitor) look(target, contains string) errand {
	return errand{path: target, do: func(ctx context.Context) error {
		err := v.agent.fetch(ctx, v.page(target, contains))
		if err == nil {
			v.reading(target)
		}
		return err
	}}
}

// search asks for one to three words, and expects the results to be of these. Some have used the form of the front page,
// which posts.
func (v *visitor) search() errand {
	asked := v.content.Words.Draw(v.rng, 1+v.rng.IntN(3))
	q, results := strings.Join(asked, "+"), site.ResultsFor(strings.Join(asked, " "))
	if v.rng.IntN(4) > 0 {
		return v.look(site.SearchPath+"?q="+q, results)
	}
	return errand{path: site.SearchPath, do: func(ctx context.Context) error {
		return v.agent.fetch(ctx, v.form(site.SearchPath, "q="+q, results))
	}}
}

// signIn looks for the form, posts name and password, follows to the account, and expects to be greeted by name. Who is
// signed in sees the account at once.
func (v *visitor) signIn() errand {
	return errand{path: site.LoginPath, do: func(ctx context.Context) error {
		if v.signedIn {
			return v.agent.fetch(ctx, v.page(site.AccountPath, site.Greeting(v.user)))
		}
		if err := v.agent.fetch(ctx, v.page(site.LoginPath, "password")); err != nil {
			return err
		}
		v.reading(site.LoginPath)
		form := "user=" + v.user + "&password=" + site.PasswordOf(v.user)
		err := v.agent.fetch(ctx, v.form(site.LoginPath, form, site.Greeting(v.user)))
		v.signedIn = err == nil
		return err
	}}
}

// tickets looks what there are tickets for.
func (v *visitor) tickets() errand { return v.look(site.TicketsPath, v.content.Shows[0]) }

// buy orders tickets from the page before; who did not get it tries that first.
func (v *visitor) buy() errand {
	show := v.content.Shows[v.rng.IntN(len(v.content.Shows))]
	return errand{path: site.OrderPath, do: func(ctx context.Context) error {
		if !v.agent.hasCookie(site.VisitCookie) {
			if err := v.agent.fetch(ctx, v.page(site.TicketsPath, show)); err != nil {
				return err
			}
		}
		form := "show=" + strings.ReplaceAll(show, " ", "+")
		return v.agent.fetch(ctx, v.form(site.OrderPath, form, site.OrderFor(show)))
	}}
}

// report looks the tides of a month up.
func (v *visitor) report() errand {
	return v.reportOf(fmt.Sprintf("2025-%02d", 1+v.rng.IntN(12)))
}

func (v *visitor) reportOf(month string) errand {
	contains, _ := site.ReportFor(month)
	return v.look(site.ReportPath+"?month="+month, contains)
}

// readText is an errand of somebody whose browser shows text only.
func (v *visitor) readText(n int) errand {
	r := v.content.Home
	switch {
	case n == 0:
	case !v.content.Others && v.rng.IntN(4) == 0:
		return v.search()
	default:
		r = v.popular()
	}
	return errand{path: r.Path, do: func(ctx context.Context) error {
		q := v.get(r, r.Path)
		q.page = true
		err := v.agent.fetch(ctx, q)
		if err == nil {
			v.reading(r.Path)
		}
		return err
	}}
}

// browseAhead is an errand of somebody whose browser fetches what a page links before it is asked for.
func (v *visitor) browseAhead(n int) errand {
	if n == 0 || len(v.links) == 0 {
		return v.withLinks(v.arrive())
	}
	r := v.links[v.rng.IntN(len(v.links))]
	return v.withLinks(v.open(r, r.Path))
}

func (v *visitor) enterAhead(path string) errand { return v.withLinks(v.enterAny(path)) }

// withLinks draws what the page of an errand links, and has it fetched ahead once the page is there. Nobody sees whether that
// succeeds: a page that was not had ahead is asked for when it is opened.
func (v *visitor) withLinks(e errand) errand {
	links := make([]*site.Resource, 5)
	for i := range links {
		links[i] = v.popular()
	}
	v.links = links
	e.after = func(ctx context.Context) {
		for _, r := range links {
			q := v.get(r, r.Path)
			q.fields = append(q.fields, wire.Field{Name: "Sec-Purpose", Value: "prefetch"})
			if !v.ahead[r.Path] && v.agent.fetch(ctx, q) == nil {
				v.ahead[r.Path] = true
			}
		}
	}
	return e
}
