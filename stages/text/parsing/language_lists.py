"""Word lists of the concept rule for Chinese, German, Japanese and Spanish.

They are written by topic, as the English lists are, and hold the forms that concepts have: German
nouns with a capital, all others in lower case, in the singular where the language has one. Other
languages have no list, so that of their nouns none is left out.
"""

from __future__ import annotations

from typing import NamedTuple


def _set(*texts: str) -> frozenset[str]:
    return frozenset(" ".join(texts).split())


class WordLists(NamedTuple):
    """What the style `visual` leaves out in one language."""

    unseen: frozenset[str] = frozenset()
    """Heads that name nothing visible: no box can be drawn around them."""

    leading: frozenset[str] = frozenset()
    """Colours, sides and materials: no names, nor the first word of one."""

    quantities: frozenset[str] = frozenset()
    """Replaced by the noun that is counted: a "grupo" of people names people."""

    containers: frozenset[str] = frozenset()
    """Spanish: named beside what they hold, so that "plato de sopa" is two things."""

    materials: frozenset[str] = frozenset()
    """No thing of its own as what a thing is made of: a table of wood is a table."""

    joined: frozenset[str] = frozenset()
    """Unseen by itself, but part of a name: Spanish "campo de fútbol"."""

    unchanged: frozenset[str] = frozenset()
    """Plural alone, or both: they keep the form in which they are written."""


_CHINESE = WordLists(
    unseen=_set("""
照片 图片 相片 图像 画面 镜头 特写 视图 景象 场景 背景 前景 画 插图 合影 自拍 截图 风格 主题 样子
情景 左边 右边 左侧 右侧 上面 下面 前面 后面 旁边 中间 中央 中心 周围 附近 里面 外面 底部 顶部
顶端 角落 边缘 一侧 一边 两侧 两边 对面 远处 近处 地方 位置 方向 角度 室内 室外 户外 空间 区域
范围 距离 身上 身边 之间 时间 时候 时刻 白天 夜晚 晚上 早上 早晨 上午 下午 中午 傍晚 黄昏 黎明
夜里 今天 明天 昨天 春天 夏天 秋天 冬天 季节 周末 假期 节日 圣诞节 春节 生日 年代 世纪 瞬间 日子
颜色 色彩 形状 大小 尺寸 高度 长度 重量 数量 价格 质量 材料 材质 种类 类型 部分 方式 方法 状态
情况 心情 表情 姿势 动作 活动 运动 比赛 表演 工作 生活 游戏 会议 旅行 旅游 散步 婚礼 庆祝 聚会
音乐 文化 历史 传统 爱情 快乐 幸福 友谊 梦想 希望 想法 问题 原因 结果 故事 信息 新闻 教育 科学
技术 经济 政治 社会 安全 健康 天气 温度 风景 景色 气氛 声音 味道 能量 力量 速度 自然 世界 中国
北京 上海 日本 美国 英国 法国 德国
"""),
    leading=_set("""
红色 蓝色 绿色 黄色 橙色 紫色 粉色 粉红色 棕色 褐色 黑色 白色 灰色 金色 银色 彩色 米色 深色 浅色
红 蓝 绿 黄 橙 紫 黑 白 灰 黑白 左 右 上 下 前 后 大 小 老 木制 木质 金属 塑料 不锈钢
"""),
)

_GERMAN = WordLists(
    unseen=_set("""
Foto Fotografie Bild Aufnahme Nahaufnahme Großaufnahme Luftaufnahme Ansicht Blick Aussicht Szene
Hintergrund Vordergrund Mitte Seite Rand Ecke Ende Anfang Spitze Richtung Ort Stelle Platz
Position Nähe Ferne Entfernung Umgebung Bereich Gegend Perspektive Winkel Höhe Tiefe Länge Breite
Größe Innere Äußere Freie Linke Rechte Vektor Illustration Version Format Motiv Thema Titel
Beispiel Zeit Tag Nacht Morgen Vormittag Mittag Nachmittag Abend Dämmerung Sonnenuntergang
Sonnenaufgang Tageslicht Woche Wochenende Monat Jahr Jahrhundert Jahrzehnt Frühling Frühjahr
Sommer Herbst Winter Sekunde Minute Stunde Augenblick Moment Weihnachten Ostern Geburtstag Urlaub
Ferien Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag Januar Februar März April Mai
Juni Juli August September Oktober November Dezember Farbe Form Art Weise Stil Muster Qualität
Preis Wert Gewicht Temperatur Geschwindigkeit Zustand Stimmung Atmosphäre Gefühl Freude Glück
Liebe Angst Trauer Hoffnung Traum Spaß Ruhe Stille Freiheit Idee Gedanke Grund Problem Lösung
Frage Antwort Ergebnis Erfolg Fehler Geschichte Kultur Tradition Leben Tod Arbeit Beruf Aufgabe
Spiel Sport Fußball Tennis Training Wettbewerb Wettkampf Rennen Reise Ausflug Spaziergang Fahrt
Flug Besuch Treffen Feier Veranstaltung Bewegung Aktion Handlung Musik Wissenschaft Technik
Wirtschaft Politik Gesellschaft Bildung Gesundheit Sicherheit Wetter Regen Wind Luft Hitze Kälte
Licht Dunkelheit Geräusch Geruch Geschmack Kraft Energie Ding Sache Mal Fall Teil Aspekt Beziehung
Bedeutung Wort Name Sprache Text Information Deutschland Österreich Schweiz Europa Amerika Asien
Afrika Berlin München Hamburg Köln Wien Zürich Paris London Rom
"""),
    leading=_set("Rot Blau Grün Gelb Orange Lila Rosa Braun Schwarz Weiß Grau Gold Silber"),
    quantities=_set("""
Gruppe Paar Menge Haufen Reihe Anzahl Zahl Stück Art Sorte Sammlung Auswahl Dutzend Hälfte
Mehrheit Vielzahl Serie Schar Foto Bild Aufnahme Handvoll
"""),
    materials=_set("""
Holz Stein Metall Glas Plastik Kunststoff Leder Stoff Papier Beton Stahl Eisen Bronze Marmor Gold
Silber Wolle Baumwolle Seide Keramik Porzellan Ziegel Ton Wachs Pappe Aluminium Backstein
"""),
    unchanged=_set("Leute Eltern Großeltern Geschwister Jeans Shorts Leggings Möbel Lebensmittel"),
)

_NUMBERS = "一二三四五六七八九十数"
_COUNTERS = "人 匹 台 本 枚 個 足 切れ 頭 羽 隻 杯 冊 つ 軒 組 列 脚 着 束 件 対 艘"
_COUNTED = (number + counter for number in _NUMBERS for counter in _COUNTERS.split())
_UNSEEN_IN_JAPANESE = """
写真 画像 絵 映像 場面 光景 風景 景色 眺め 背景 前景 クローズアップ アップ イラスト 自撮り 様子 姿
シーン こと もの 物 ため とき 時 ところ 所 よう 方 ほう わけ はず うち 間 つもり 中 上 下 前 後
後ろ 横 隣 側 そば 脇 隅 端 奥 手前 左 右 左側 右側 両側 左右 上部 下部 中央 真ん中 中心 周り 周囲
近く 遠く 向こう 正面 先 表 裏 内側 外側 外 内 場所 位置 方向 角度 距離 一部 部分 全体 屋外 屋内
室内 今日 明日 昨日 朝 昼 夕方 夕暮れ 夜 夜明け 日中 日没 日の出 春 夏 秋 冬 季節 週末 休日 年 月
日 時間 瞬間 時代 誕生日 クリスマス 正月 休暇 色 形 大きさ 高さ 長さ 重さ 種類 数 大勢 多く
たくさん いくつ 複数 状態 状況 気分 気持ち 雰囲気 表情 笑顔 動作 動き 姿勢 活動 運動 試合 競技
仕事 生活 遊び 会議 旅行 散歩 食事 準備 練習 結婚 お祝い 音楽 文化 歴史 伝統 愛 幸せ 喜び 夢 希望
考え 問題 理由 結果 話 物語 情報 ニュース 教育 科学 技術 経済 政治 社会 安全 健康 天気 雨 風 気温
音 味 力 速度 自然 世界 親子 日本 東京 京都 大阪 アメリカ イギリス フランス ドイツ 中国
"""
_JAPANESE = WordLists(
    unseen=_set(_UNSEEN_IN_JAPANESE, *_COUNTED),
    leading=_set("""
赤 青 緑 黄色 オレンジ色 紫 ピンク ピンク色 茶色 黒 白 灰色 金色 銀色 赤色 青色 緑色 黒色 白色
水色 木製 金属製 石造り プラスチック製 ガラス製 革製 縞模様 水玉
"""),
    materials=_set("石 金属 ガラス プラスチック 革 布 紙 コンクリート 鉄 銅 大理石"),
)

_SPANISH = WordLists(
    unseen=_set("""
foto fotografía imagen retrato primer plano vista paisaje escena fondo frente lado izquierda
derecha parte centro medio borde esquina extremo principio final dirección lugar sitio posición
zona área punto distancia alrededor alrededores cercanía interior exterior ángulo perspectiva
altura profundidad longitud anchura tamaño ilustración versión formato motivo tema título ejemplo
cima tiempo día noche mañana tarde mediodía medianoche atardecer amanecer anochecer ocaso semana
mes año siglo década primavera verano otoño invierno segundo minuto hora momento instante navidad
pascua cumpleaños vacaciones lunes martes miércoles jueves viernes sábado domingo enero febrero
marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre puesta color tono forma
tipo clase estilo diseño calidad precio valor peso temperatura velocidad estado ambiente atmósfera
sentimiento alegría felicidad amor miedo tristeza esperanza sueño diversión calma silencio
libertad belleza idea pensamiento razón problema solución pregunta respuesta resultado éxito error
historia cultura tradición vida muerte trabajo profesión tarea juego deporte fútbol tenis béisbol
baloncesto golf hockey rugby voleibol entrenamiento competición competencia carrera viaje
excursión paseo visita encuentro celebración evento movimiento acción actividad música ciencia
tecnología economía política sociedad educación salud seguridad clima lluvia viento aire calor
frío luz oscuridad ruido olor sabor fuerza energía cosa vez caso aspecto relación significado
palabra nombre idioma texto información piso pie caballito españa méxico argentina colombia chile
perú europa américa asia áfrica madrid barcelona parís
"""),
    leading=_set("""
rojo azul verde amarillo naranja morado rosa marrón negro blanco gris dorado plateado violeta
beige
"""),
    quantities=_set("""
grupo par montón fila cantidad número serie colección conjunto docena mitad mayoría variedad trozo
pedazo porción tipo clase multitud hilera parte puñado foto fotografía imagen vista retrato plano
"""),
    containers=_set("""
vaso taza plato cesta ramo botella tazón bandeja caja copa jarra lata bolsa cuenco rebanada
estatua figura pila cubo barril
"""),
    materials=_set("""
madera piedra metal cristal vidrio plástico cuero tela papel cemento hormigón acero hierro bronce
mármol oro plata lana algodón seda cerámica porcelana ladrillo barro cera cartón aluminio colores
"""),
    joined=_set("""
fútbol tenis béisbol baloncesto golf hockey rugby voleibol deporte juego trabajo música noche
viaje carrera paseo
"""),
    unchanged=_set("""
gafas lentes prismáticos tijeras alicates tenazas paraguas paracaídas parabrisas salvavidas
rascacielos portaaviones lavaplatos lavavajillas microondas abrelatas sacacorchos auriculares
víveres vaqueros tirantes bragas
"""),
)

LISTS = {"de": _GERMAN, "es": _SPANISH, "ja": _JAPANESE, "zh": _CHINESE}
"""By language, as ISO 639 calls it."""
