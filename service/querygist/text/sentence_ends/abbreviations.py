"""Closed word lists in English, German, French and Spanish that tell a full stop of a word from one of a sentence.

All are casefolded. An abbreviation stands without its last full stop ("e.g").
"""


def _all_of(spaced: str) -> frozenset[str]:
    return frozenset(spaced.split())


NEVER_LAST = _all_of(
    "dr mr mrs ms mx messrs prof hon gov sen rep capt lt sgt maj supt insp pres mgr fr hr dipl dipl.-ing ing med jur "
    "mme mlle dra sra srta dña ing lic arq gral excmo ilmo डॉ प्रो e.g i.e eg ie cf vs v viz approx incl esp ca "
    "z.b d.h u.a bzw vgl sog ggf evtl inkl exkl zzgl abzgl einschl geb gest ehem bspw insb kath evang städt staatl "
    "gesetzl allg dt frz engl österr p.ex p.ej ej c.-à-d av aprox"
)
"""Titles before names, and words that announce what follows: no sentence ends in them."""

NEVER_LAST_CASED = frozenset({"MM", "Pr"})
"""Of these the capitals matter: "Mm." and "PR." end sentences."""

RARELY_LAST = _all_of(
    "inc ltd co corp bros llc plc cie jr sr dept univ assn st mt ft rd ave blvd rev gen col al resp mio mrd mill tsp "
    "tbsp tel nr str dgl usw hrsg jh jhd ud uds vd vds avda ee cc ff"
)
"""A sentence ends in one only if the next word begins a sentence whatever stands before it: see `OPENERS`."""

BEFORE_NUMBER = _all_of(
    "no nos nr n° párr cra lun mié jue vie fig figs eq eqs sec secs ch chap vol vols p pp para paras art arts tab cl "
    "sched reg ver v ext op bk pt abs ziff bd kap anm aufl núm nº pág págs pag cap env réf tél tel fax ca est rd max "
    "mind gem lt jan feb mar apr jun jul aug sep sept oct nov dec okt dez janv févr juil déc ene abr ago dic mon tue "
    "tues wed thu thur thurs fri"
)
"""Goes on before a number; otherwise like any other word."""

EXCLAIMED = _all_of("yahoo jeopardy joomla kahoot")
"""Names that end with an exclamation mark."""

GERMAN_MONTHS = _all_of(
    "januar jänner februar feber märz april mai juni juli august september oktober november dezember jan feb apr jun "
    "jul aug sep sept okt nov dez"
)
AFTER_HOUR = _all_of(
    "january february march april may june july august september october november december jan feb mar apr jun jul "
    "aug sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays "
    "thursdays fridays saturdays sundays mon tue tues wed thu thur thurs fri sat sun weekdays weekends daily utc gmt "
    "eastern central mountain pacific est edt cst cdt mst mdt pst pdt cet cest bst ist local"
)
"""What "a.m." and "p.m." are followed by when the sentence goes on."""

BEFORE_ORDINAL = _all_of(
    "am der die das dem den des im zum zur vom beim ab bis seit und oder jeder jede jedes sein seine seinem seinen "
    "ihr ihre ihrem ihren dieser diese dieses diesem diesen"
)
"""German words before "3." that make it an ordinal."""

_ENGLISH = _all_of(
    "the this that these those it he she they we you i there here his her its their our my your a an in on at by for "
    "from with without after before during since until when while where why what which who how if as although though "
    "because but and or so yet then thus hence however also both each every some many most several few all no not "
    "now another other others according later today once under over among between through despite unlike meanwhile "
    "moreover furthermore instead therefore nevertheless please do does did is are was were has have can could will "
    "would should to use see soon only even next finally again often sometimes nobody everyone someone nothing "
    "everything"
)
_GERMAN = _all_of(
    "der die das den dem des ein eine einer eines einem einen er sie es wir ihr ich du man in im am an auf aus bei "
    "beim bis durch für gegen mit nach ohne seit seine ihre sein seiner über um unter von vom vor während wegen zu "
    "zum zur zwischen als aber auch da dabei dafür dagegen damit danach dann daher darum dazu denn deshalb dies "
    "diese dieser dieses diesem diesen doch dort heute hier jede jeder jedes jedoch kein keine nun nur ob obwohl "
    "oder schon sehr so und viele wann was weil wenn wer wie wo zuerst außerdem später bereits trotz laut sowohl "
    "bitte"
)
_FRENCH = _all_of(
    "le la les un une des du de ce cet cette ces il elle ils elles on nous vous je tu son sa ses leur leurs en dans "
    "sur sous par pour avec sans après avant depuis pendant lors à au aux mais et ou donc ni car si quand comme "
    "lorsque puis ainsi alors aussi chaque plusieurs tous toutes tout cela ceci selon entre l' c' j' n' s' qu' d' "
    "aujourd'"
)
_SPANISH = _all_of(
    "el la los las un una unos unas lo él ella ellos ellas este esta estos estas ese esa esto eso en de del al con "
    "sin por para desde hasta sobre entre según durante después antes tras pero y o si cuando como donde aunque "
    "porque también su sus se nos hay es fue son era todo todos toda todas cada muchos algunos así además hoy"
)
OPENERS = _ENGLISH | _GERMAN | _FRENCH | _SPANISH
"""Words that, with a capital and no other reason for it, begin a sentence."""

NAME_PARTICLES = _all_of("de du des la le el los las da di an so do no l' d'")
"""Openers that also follow an initial, as parts of a name: "M. Le Goff"."""

GOES_ON = _all_of(
    "the a an of and or nor with from than into onto between among during since until because although whose its "
    "their his our your my is are was were been has have had will would can could should may might must that which "
    "der die das den dem des ein eine einer eines einem einen und oder im am vom zum zur beim mit von für durch ohne "
    "gegen zwischen während wegen als dass sowie seit le la les un une du des de et ou au aux dans sur sous par pour "
    "avec sans chez entre que qui ce cette ces el los las unos unas del al y con sin por para desde hasta sobre"
)
"""No line that ends in one is over, however short."""

MAY_GO_ON = _all_of("in on at by to for about near as bei in auf aus nach um bis ab en à a")
"""Like `GOES_ON`, if the line is no short heading such as "Log in"."""
