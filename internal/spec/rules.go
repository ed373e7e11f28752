package spec

import "time"

// Rules are a zone's, by Cloudflare's phases, which a request passes in this order. A zone's rules come after those of the defaults.
type Rules struct {
	// DynamicRedirect sends visitors elsewhere.
	DynamicRedirect []Rule `yaml:"http_request_dynamic_redirect"`
	// Transform changes the path and the query that the cache and the origin are asked for.
	Transform []Rule `yaml:"http_request_transform"`
	// Config changes settings for some requests.
	Config []Rule `yaml:"http_config_settings"`
	// Origin chooses the origin, and what it gets to see as Host.
	Origin []Rule `yaml:"http_request_origin"`
	// Firewall refuses, spares and notes requests.
	Firewall []Rule `yaml:"http_request_firewall_custom"`
	// RateLimit refuses those that are too many.
	RateLimit []Rule `yaml:"http_ratelimit"`
	// LateTransform changes the request's header, as the origin gets it.
	LateTransform []Rule `yaml:"http_request_late_transform"`
	// CacheSettings says what the cache does with some requests.
	CacheSettings []Rule `yaml:"http_request_cache_settings"`
	// ResponseHeaders changes the response's header, as the visitor gets it.
	ResponseHeaders []Rule `yaml:"http_response_headers_transform"`
}

// AllZones stands for the zone in counts and exceptions of the node's own rules; no zone is called that.
const AllZones = "*"

// NodeRules are the operator's, for the requests of all zones. They see a request as its client sent it, and judge by its head alone. A zone's
// lists, skips and dry run are nothing to them.
type NodeRules struct {
	// Firewall refuses, spares and notes requests. A skip spares other rules of the node, and no zone's.
	Firewall []Rule `yaml:"http_request_firewall_custom"`
	// RateLimit refuses those that are too many. They are counted as they come, in all zones together.
	RateLimit []Rule `yaml:"http_ratelimit"`
}

// PhaseRules are a zone's rules of one phase.
type PhaseRules struct {
	Phase string // as Cloudflare calls it
	Rules *[]Rule
}

// Phases are the rules of each phase, in the order of the keys.
func (r *Rules) Phases() []PhaseRules {
	return []PhaseRules{
		{"http_request_dynamic_redirect", &r.DynamicRedirect},
		{"http_request_transform", &r.Transform},
		{"http_config_settings", &r.Config},
		{"http_request_origin", &r.Origin},
		{"http_request_firewall_custom", &r.Firewall},
		{"http_ratelimit", &r.RateLimit},
		{"http_request_late_transform", &r.LateTransform},
		{"http_request_cache_settings", &r.CacheSettings},
		{"http_response_headers_transform", &r.ResponseHeaders},
	}
}

// Rule says what to do with the requests for which its expression holds. What its action needs stands in the section of that name.
type Rule struct {
	// Name identifies the rule within its zone: in logs, explanations, counts and seawall undo.
	Name string `yaml:"name"`
	// Expression is in the language of Cloudflare's rules; docs/rules.md lists what it may say.
	Expression string `yaml:"expression"`
	// Action is what it does: block and log are for firewall rules and rate limits, skip for firewall rules, and each of redirect, rewrite,
	// route, set_cache_settings and set_config for the phases of that kind.
	Action RuleAction `yaml:"action"`
	// Disabled leaves the rule out.
	Disabled bool `yaml:"disabled"`

	// Response is what block answers.
	Response RuleResponse `yaml:"response"`
	// Skip is what skip spares.
	Skip RuleSkip `yaml:"skip"`
	// Redirect is where redirect leads to.
	Redirect RuleRedirect `yaml:"redirect"`
	// Rewrite is what rewrite changes.
	Rewrite RuleRewrite `yaml:"rewrite"`
	// Route is how route asks the origin.
	Route RuleRoute `yaml:"route"`
	// Cache is what set_cache_settings sets.
	Cache RuleCache `yaml:"cache"`
	// Config is what set_config sets.
	Config RuleConfig `yaml:"config"`
	// RateLimit is what a rate limit counts, and how much of it there may be.
	RateLimit RuleRateLimit `yaml:"ratelimit"`
}

// RuleAction is what a rule does.
type RuleAction string

// The actions. Block and log are those of firewall rules and rate limits, skip of firewall rules; each of the others has a phase of its own.
const (
	RuleBlock     RuleAction = "block"
	RuleLog       RuleAction = "log"
	RuleSkipping  RuleAction = "skip"
	RuleRedirects RuleAction = "redirect"
	RuleRewrites  RuleAction = "rewrite"
	RuleRoutes    RuleAction = "route"
	RuleSetCache  RuleAction = "set_cache_settings"
	RuleSetConfig RuleAction = "set_config"
)

// RuleResponse is what a blocked request is answered with. Without a content it is the page that explains itself by its id.
type RuleResponse struct {
	// StatusCode is 403, or 429 for a rate limit, unless given.
	StatusCode int `yaml:"status_code"`
	// Content is the body.
	Content string `yaml:"content"`
	// ContentType is that of the content, text/plain unless given.
	ContentType string `yaml:"content_type"`
}

// RuleSkip is what requests are spared.
type RuleSkip struct {
	// Rest spares them the rest of this phase's rules.
	Rest bool `yaml:"rest"`
	// Phases are those that they are spared as a whole: http_ratelimit, and limits for the zone's own limits.
	Phases []string `yaml:"phases"`
	// Rules are the names of later rules that they are spared.
	Rules []string `yaml:"rules"`
}

// RuleRedirect is where to. It has a url or an expression.
type RuleRedirect struct {
	// URL is the target, whole or as a path.
	URL string `yaml:"url"`
	// Expression computes it.
	Expression string `yaml:"expression"`
	// StatusCode is 301, 302, 303, 307 or 308; 302 unless given.
	StatusCode int `yaml:"status_code"`
	// PreserveQuery appends the request's query.
	PreserveQuery bool `yaml:"preserve_query_string"`
}

// RuleRewrite is what to put in place. Each has a text or an expression.
type RuleRewrite struct {
	// Path is that which is asked for.
	Path string `yaml:"path"`
	// PathExpression computes it.
	PathExpression string `yaml:"path_expression"`
	// Query is without its question mark; - removes it.
	Query string `yaml:"query"`
	// QueryExpression computes it.
	QueryExpression string `yaml:"query_expression"`
	// Headers are changed in their order.
	Headers []RuleHeader `yaml:"headers"`
}

// RuleHeader is a change of one field.
type RuleHeader struct {
	// Name is the field's.
	Name string `yaml:"name"`
	// Operation is set, which takes the place of what is there, add, or remove.
	Operation string `yaml:"operation"`
	// Value is the field's.
	Value string `yaml:"value"`
	// Expression computes the value.
	Expression string `yaml:"expression"`
}

// RuleRoute is which origin is asked, and how: at least one of the two.
type RuleRoute struct {
	// Pool is the one of the zone's pools that is asked in place of the zone's own origin.
	Pool string `yaml:"pool"`
	// HostHeader is the Host that it gets.
	HostHeader string `yaml:"host_header"`
}

// RuleCache is what the cache does.
type RuleCache struct {
	// Bypass leaves requests to the origin.
	Bypass bool `yaml:"bypass"`
	// EdgeTTL is how long responses are kept, whatever they say but for private; 0 leaves it to them.
	EdgeTTL time.Duration `yaml:"edge_ttl"`
}

// RuleConfig is what is turned off for some requests.
type RuleConfig struct {
	// NoHTTPSRedirect does not send visitors from HTTP to HTTPS.
	NoHTTPSRedirect bool `yaml:"no_https_redirect"`
	// NoCompression sends bodies as they are stored.
	NoCompression bool `yaml:"no_compression"`
}

// RuleRateLimit bounds the requests that have the same characteristics, or the bytes that they get: requests_per_period or
// bytes_per_period. A zone has at most 100 such rules.
type RuleRateLimit struct {
	// Characteristics are what is counted apart: 1 to 8 expressions of any type but a map, such as ip.src, ip.src.prefix or
	// http.request.headers["x-api-key"]. What a request has not is a value of its own. Each edge counts for itself: Cloudflare's cf.colo.id
	// may be named, and alone counts all requests together. With one that reads the body, requests count when they reach the origin.
	Characteristics []string `yaml:"characteristics"`
	// Requests is how many of them there may be in a Period.
	Requests int `yaml:"requests_per_period"`
	// Period is how long they are counted for: 1s to 24h. As many as there may be may come at once; what was counted then fades evenly.
	Period time.Duration `yaml:"period"`
	// Mitigation is for how long further ones are refused once there were too many, up to 24h; 0 refuses only as long as there are.
	Mitigation time.Duration `yaml:"mitigation_timeout"`
	// Counting says which requests count, if not those for which the rule's expression holds, which says who is refused. It may read the
	// response: then requests count when they have been answered.
	Counting string `yaml:"counting_expression"`
	// ToOrigin counts only requests that reach the origin, and leaves what the cache has to those over the limit until there is a mitigation.
	ToOrigin bool `yaml:"requests_to_origin"`
	// BytesPerPeriod bounds the bytes of the responses' bodies instead of requests. What is sent beyond them is waited for, up to three
	// periods more.
	BytesPerPeriod Size `yaml:"bytes_per_period"`
}
