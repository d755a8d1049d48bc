"""The look of the HTML page: one sheet, light and dark, no fonts or images from elsewhere.

Colours are told apart by people who see red and green alike (blue against orange, and a dark line),
and each series has a form of its own as well. On white and on near-black each has a contrast of at
least 3:1, text of 4.5:1.
"""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--bg:#ffffff;--card:#f7f8fa;--ink:#1c2128;--soft:#59636e;--rule:#d5dae0;
--grid:#e7eaee;--ready:#4c8fd6;--ready2:#a9cbef;--boot:#f2b263;--drain:#c9b8e0;--need:#14181d;
--miss:#c9302c;--refused:#7a1512;--load:#6b7785;--policy:#0f62c4;--peer:#8a94a0;--ref:#2f8558;
--worst:#fbe3e1}
@media (prefers-color-scheme:dark){:root{--bg:#0f1318;--card:#171c23;--ink:#e6eaef;--soft:#9aa5b1;
--rule:#333c47;--grid:#232a33;--ready:#3f7fc4;--ready2:#27507f;--boot:#c27c24;--drain:#6f5b92;
--need:#f4f6f8;--miss:#ff6b63;--refused:#ffb3ad;--load:#8c98a6;--policy:#6bb0ff;--peer:#7f8a96;
--ref:#5fc492;--worst:#3a1d1e}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);
font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1040px;margin:0 auto;padding:28px 20px 64px}
h1{font-size:26px;line-height:1.25;margin:0 0 6px}h2{font-size:20px;margin:44px 0 8px}
h3{font-size:16px;margin:28px 0 4px}
p{margin:8px 0;max-width:76ch}.sub{color:var(--soft)}
.lead{font-size:17px;max-width:70ch}
code{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:var(--card);
border:1px solid var(--rule);border-radius:4px;padding:1px 5px;overflow-wrap:anywhere}
dl.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:10px 24px;
margin:18px 0;padding:14px 16px;background:var(--card);border:1px solid var(--rule);border-radius:8px}
dl.facts dt{color:var(--soft);font-size:13px}dl.facts dd{margin:0}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:14px;margin:8px 0}
caption{text-align:left;color:var(--soft);padding:4px 0 8px;font-size:13px}
th,td{padding:5px 12px 5px 0;text-align:right;white-space:nowrap;border-bottom:1px solid var(--grid)}
thead th{border-bottom:1px solid var(--rule);font-weight:600;vertical-align:bottom}
th:first-child,td:first-child,th.n,td.n{text-align:left}
tr.policy th,tr.policy td{font-weight:600}tr.reference th,tr.reference td{color:var(--soft)}
tbody th{font-weight:inherit}
figure{margin:10px 0 0}figcaption{color:var(--soft);font-size:13px;max-width:90ch}
svg{display:block;width:100%;height:auto;font-family:inherit}
.key{display:flex;flex-wrap:wrap;gap:4px 18px;margin:8px 0;padding:0;list-style:none;font-size:13px}
.key svg{display:inline-block;width:18px;height:12px;margin-right:6px;vertical-align:-1px}
.read{font-size:13px;color:var(--soft);min-height:1.5em;margin:2px 0;font-variant-numeric:tabular-nums}
dl.terms dt{font-weight:600;margin-top:10px}dl.terms dd{margin:0;max-width:76ch}
details summary{cursor:pointer;color:var(--soft)}
footer{margin-top:48px;padding-top:14px;border-top:1px solid var(--rule);color:var(--soft);font-size:13px}
.tk{font-size:11px;fill:var(--soft)}.pt{font-size:12px;fill:var(--soft)}
.pl{font-size:12.5px;fill:var(--ink);font-weight:600}.ql{font-size:12px;fill:var(--soft)}
.ol{font-size:11px;fill:var(--soft)}
.gr{stroke:var(--grid)}.ax{stroke:var(--rule)}
.lo{fill:var(--load)}.re{fill:var(--ready)}.rh{fill:var(--ready2)}.bo{fill:var(--boot)}
.dr{fill:var(--drain)}.nb{fill:var(--need);fill-opacity:.28}
.ne{fill:none;stroke:var(--need);stroke-width:1.4}
.mi{fill:var(--miss)}.rf{fill:var(--refused)}.w{fill:var(--worst)}
.po{fill:var(--policy)}.pe{fill:var(--peer)}.rr{fill:var(--ref)}
.sp{stroke:var(--soft);stroke-width:1;opacity:.7}
.op{stroke:var(--ref);stroke-width:1.2;stroke-dasharray:5 4}
.as{stroke:var(--soft);stroke-width:1;stroke-dasharray:2 3}
.fr{fill:none;stroke:var(--policy);stroke-width:1.2;opacity:.5}
.qu{stroke:var(--miss);stroke-width:1.6;stroke-dasharray:7 4}
.k0{fill:#4c8fd6}.k1{fill:#f2b263}.k2{fill:#5fae86}.k3{fill:#b49ad8}.k4{fill:#8a94a0}.k5{fill:#d9848b}
.k6{fill:#3f6b8f}.k7{fill:#c2b84c}
.cross{stroke:var(--soft);stroke-width:1;pointer-events:none}
@media print{details{display:block}main{max-width:none}}
"""

SCRIPT = """
document.querySelectorAll('figure[data-plot]').forEach(function(f){
var d=JSON.parse(f.querySelector('script').textContent),s=f.querySelector('svg'),
r=f.querySelector('.read'),hint=r.textContent,l=document.createElementNS(s.namespaceURI,'line');
l.setAttribute('class','cross');l.setAttribute('y1',d.top);l.setAttribute('y2',d.bottom);
l.setAttribute('visibility','hidden');s.appendChild(l);
function fmt(v){return v===null?'?':v>=100?v.toFixed(0):v>=10?v.toFixed(1):v.toFixed(2)}
s.addEventListener('pointermove',function(e){
var b=s.getBoundingClientRect(),x=(e.clientX-b.left)*d.width/b.width;
if(x<d.left||x>d.right){return}
var n=d.at.length,i=Math.min(n-1,Math.max(0,Math.floor((x-d.left)/(d.right-d.left)*n)));
l.setAttribute('x1',x);l.setAttribute('x2',x);l.setAttribute('visibility','visible');
r.textContent=d.at[i]+'   '+d.series.map(function(q){var h=q.high[i],w=q.low?q.low[i]:h;
return q.name+' '+(w===h?fmt(h):fmt(w)+' to '+fmt(h))}).join('   ')});
s.addEventListener('pointerleave',function(){l.setAttribute('visibility','hidden');r.textContent=hint})});
"""
