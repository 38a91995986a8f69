/** What pages of many cases add to the case report's style sheet. */
export const COHORT_STYLE = `
.skip{position:absolute;left:-100rem;top:0;background:var(--paper);padding:.5rem 1rem;z-index:9}
.skip:focus{left:0}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
main:focus{outline:none}
main p{max-width:58rem}
.counts{font-size:1.1rem;margin:.75rem 0 0}
.facts li{flex:1 1 13rem;max-width:22rem}
.facts span{display:block}
.facts small{color:var(--soft);font-size:.85rem;font-variant-numeric:tabular-nums}
nav{max-width:84rem;margin:1rem auto 0;padding:0 1rem}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;list-style:none;margin:0;padding:.5rem 0;border-top:1px solid var(--rule);border-bottom:1px solid var(--rule);font-size:.93rem}
main h3{margin:1.2rem 0 .25rem}
.scroll{max-width:100%}
table.data{width:auto;min-width:min(100%,30rem);font-variant-numeric:tabular-nums}
table.data th,table.data td,table.data td:last-child{color:inherit;padding:.35rem 1rem .35rem 0}
table.data thead th{white-space:nowrap;vertical-align:bottom;color:var(--soft);border-top:0}
table.data td{white-space:nowrap}
time{white-space:nowrap}
table.data bdi{overflow-wrap:normal}
table.data abbr{text-decoration:none}
.definition summary{padding:0;white-space:nowrap}
.definition p{margin:.25rem 0;max-width:22rem;font-weight:400;font-size:.9rem;color:var(--soft);white-space:normal}
.plots{display:grid;gap:.75rem;grid-template-columns:repeat(auto-fit,minmax(min(24rem,100%),1fr))}
.plot{background:var(--card);border:1px solid var(--rule);border-radius:.5rem;max-width:46rem;padding:.75rem .75rem 0;margin:0;overflow:visible;min-width:0}
.plot h3{margin:0 0 .35rem}
.plot svg{display:block;width:100%;max-width:34rem;height:auto;margin:0 auto}
.plot figcaption{padding:.35rem 0 .25rem}
.plot figcaption p{margin:0;color:var(--soft)}
.plot details table{font-size:.87rem;min-width:0}
.legend{display:flex;flex-wrap:wrap;gap:.4rem 1.4rem;list-style:none;margin:0 0 .75rem;padding:.5rem .9rem;border:1px solid var(--rule);border-radius:.5rem}
.legend li{display:flex;align-items:center;gap:.45rem}
.gallery{list-style:none;margin:0;padding:0;display:grid;gap:.75rem;grid-template-columns:repeat(auto-fill,minmax(min(26rem,100%),1fr));align-items:start}
.card{background:var(--card);border:1px solid var(--rule);border-radius:.5rem;padding:.6rem .75rem .75rem;min-width:0;overflow-wrap:anywhere}
.card h3{margin:0}
.card .chip{white-space:normal}
.card p{margin:.2rem 0}
.values{font-size:.93rem;font-variant-numeric:tabular-nums}
.pictures{background:none;margin-top:.5rem}
.pictures img{display:block;width:100%;height:auto;background:#000}
.pictures figcaption{display:grid;grid-template-columns:repeat(2,1fr);gap:.5rem}
.pictures.one img{width:50%}
.filters{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:end;margin:.5rem 0}
.filters[hidden]{display:none}
.filters label{display:grid;gap:.15rem;font-size:.9rem;color:var(--soft)}
.filters select{max-width:100%}
.filters label{min-width:0}
.filters input,.filters select,.filters button{font:inherit;color:var(--ink);background:var(--paper);border:1px solid var(--soft);border-radius:.35rem;padding:.35rem .6rem;min-height:2.4rem}
.filters button{cursor:pointer;background:var(--card)}
.shown{margin:.4rem 0;font-size:.93rem}
.tall{max-height:75vh;overflow:auto;border:1px solid var(--rule);border-radius:.35rem}
.tall thead th{position:sticky;top:0;background:var(--card);z-index:1;box-shadow:0 1px 0 var(--rule)}
.tall table.data{width:100%}
.tall table.data th:first-child,.tall table.data td:first-child{padding-left:.75rem}
.tall th[scope=row]{white-space:nowrap}
.tall table.data thead th{white-space:normal}
.tall table.data :is(th,td):nth-child(n+3):not(:last-child){text-align:right}
.tall table.by-patient :is(th,td):nth-child(3){text-align:left!important}
.tall table.data td:last-child{white-space:normal;min-width:18rem;overflow-wrap:anywhere}
.tall th button{font:inherit;color:inherit;background:none;border:0;padding:.15rem 0;cursor:pointer;text-align:inherit}
.tall th button::after{content:"\\a0↕";opacity:.75}
.tall th[aria-sort=ascending] button::after{content:"\\a0↑";opacity:1}
.tall th[aria-sort=descending] button::after{content:"\\a0↓";opacity:1}
.tall th[aria-sort]{color:var(--ink)}
tr[hidden]{display:none}
.ids{columns:14rem;margin:0;padding-left:1.2rem}
@media (prefers-reduced-motion:no-preference){html{scroll-behavior:smooth}}
@media (max-width:40rem){
table.data th:first-child{position:sticky;left:0;background:var(--paper);z-index:1;padding-right:.6rem;white-space:normal;min-width:7.5rem;max-width:9.5rem}
.tall thead th:first-child{background:var(--card);z-index:2}
.plot table.data th:first-child{background:var(--card)}
.definition summary{white-space:normal}
.filters label{flex:1 1 45%}
.filters input,.filters select{width:100%}
.filters button{flex:1 1 100%}
}
@media print{
@page{size:A4;margin:12mm}
@page sheet{size:A4 landscape;margin:12mm}
.sheet{page:sheet}
.skip,nav,.filters,.shown{display:none!important}
.tall{max-height:none;overflow:visible;border:0}
.scroll{overflow:visible}
table.data{font-size:7pt;width:100%;min-width:0}
table.data th,table.data td,table.data td:last-child{padding:.12rem .4rem .12rem 0;min-width:0}
table.data thead th{white-space:normal}
table.data .chip{font-size:inherit}
.tall table.data td:last-child{min-width:0}
main p{font-size:9pt}
dl,.legend{font-size:8.5pt}
.plot figcaption,.card,.facts small{font-size:8.5pt}
.tall thead th{position:static;background:none;box-shadow:none}
.tall th button::after{content:""!important}
thead{display:table-header-group}
tr[hidden]{display:table-row!important}
details.definition{display:block!important}
.definition summary{list-style:none}
.plots,.gallery{grid-template-columns:repeat(2,1fr)}
.card,.plot{break-inside:avoid}
}`;
